/** What each step would do to a sample, and the rows that come of it. */

import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { cellText } from "../../../components/cells";
import { RowsTable } from "../../../components/RowsTable";
import { formatNumber } from "../../../components/values";

export function RecipePreview({ preview }: { preview: Schemas["Preview"] }) {
  const { t } = useTranslation("collection");
  const cells = useMemo(() => preview.rows.map((row) => preview.columns.map((column) => row[column.name])), [preview]);
  const count = (value: number) => formatNumber(value, 9);
  return (
    <SpaceBetween size="l">
      <Table
        items={preview.steps}
        wrapLines
        trackBy={(each) => String(each.number)}
        ariaLabels={{ tableLabel: t("recipe.effects") }}
        header={
          <Header variant="h2" description={t("recipe.sampled", { sampled: count(preview.num_sampled), rows: count(preview.num_rows) })}>
            {t("recipe.effects")}
          </Header>
        }
        columnDefinitions={[
          { id: "number", header: "#", cell: (each) => each.number, width: 60 },
          { id: "step", header: t("recipe.step"), cell: (each) => t(`step.${each.do}`), isRowHeader: true },
          { id: "summary", header: t("found"), cell: (each) => [each.summary, ...(each.notes ?? [])].map(cellText).join(" · ") },
          { id: "in", header: t("recipe.rowsIn"), cell: (each) => count(each.num_rows_in) },
          { id: "changed", header: t("recipe.changed"), cell: (each) => count(each.num_rows_changed) },
          { id: "quarantined", header: t("quarantined"), cell: (each) => count(each.num_quarantined ?? 0) },
          { id: "out", header: t("recipe.rowsOut"), cell: (each) => count(each.num_rows_out) },
        ]}
      />
      <RowsTable columns={preview.columns} rows={cells} title={t("recipe.rows")} header={<Header variant="h2">{t("recipe.rows")}</Header>} />
    </SpaceBetween>
  );
}
