/** The queries of this tab, to be looked at again. */

import Button from "@cloudscape-design/components/button";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import { cellText } from "../../../components/cells";
import { Time } from "../../../components/values";
import type { Past } from "./past";

export function History({ past, onChoose }: { past: Past[]; onChoose: (one: Past) => void }) {
  const { t } = useTranslation("collection");
  if (past.length === 0) return null;
  return (
    <ExpandableSection variant="container" headerText={t("sql.history")} headerCounter={`(${past.length})`}>
      <Table
        variant="embedded"
        items={past}
        trackBy="id"
        ariaLabels={{ tableLabel: t("sql.history") }}
        columnDefinitions={[
          { id: "at", header: t("created"), cell: (each) => <Time at={each.at} />, width: 220 },
          { id: "sql", header: "SQL", cell: (each) => cellText(each.sql), isRowHeader: true },
          {
            id: "open",
            header: t("actions"),
            width: 120,
            cell: (each) => (
              <Button variant="inline-link" onClick={() => onChoose(each)}>
                {t("sql.open")}
              </Button>
            ),
          },
        ]}
      />
    </ExpandableSection>
  );
}
