/** What should be looked at. */

import Header from "@cloudscape-design/components/header";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import { Link } from "../../app/links";
import { Empty } from "../../components/Empty";
import { Status } from "../../components/Status";
import { Time } from "../../components/values";
import type { Attention } from "./attention";

const SHOWN = 20;

export function AttentionTable({ items, isLoading }: { items: Attention[]; isLoading: boolean }) {
  const { t } = useTranslation("overview");
  return (
    <Table
      items={items.slice(0, SHOWN)}
      trackBy="id"
      wrapLines
      loading={isLoading && items.length === 0}
      loadingText={t("common:loading")}
      ariaLabels={{ tableLabel: t("attention") }}
      header={
        <Header variant="h2" counter={`(${items.length})`}>
          {t("attention")}
        </Header>
      }
      empty={<Empty title={t("nothingToDo")} />}
      columnDefinitions={[
        { id: "status", header: t("status"), cell: (each) => <Status status={each.status} />, width: 160 },
        { id: "name", header: t("what"), cell: (each) => <Link to={each.href}>{each.nameKey === undefined ? each.name : t(each.nameKey)}</Link>, isRowHeader: true },
        { id: "reason", header: t("why"), cell: (each) => each.reason ?? "–" },
        { id: "at", header: t("since"), cell: (each) => <Time at={each.at} />, width: 220 },
      ]}
    />
  );
}
