/** What a recipe does to a sample. */

import Alert from "@cloudscape-design/components/alert";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { formatNumber } from "../../../components/values";
import { StepTable } from "../job/PreparationResult";

export function RecipePreview({ preview }: { preview: Schemas["Preview"] }) {
  const { t } = useTranslation("training");
  return (
    <SpaceBetween size="m">
      {preview.notes.length > 0 && <Alert>{preview.notes.join(" ")}</Alert>}
      <StepTable steps={preview.steps} />
      <Table
        variant="container"
        header={
          <Header variant="h2" description={t("prepare.sampled", { sampled: formatNumber(preview.num_sampled), rows: formatNumber(preview.num_rows) })}>
            {t("prepare.rows")}
          </Header>
        }
        items={preview.rows}
        ariaLabels={{ tableLabel: t("prepare.rows") }}
        columnDefinitions={preview.columns.map((column) => ({
          id: column.name,
          header: column.name,
          cell: (row: Record<string, unknown>) => {
            const value = row[column.name];
            return value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
          },
        }))}
      />
    </SpaceBetween>
  );
}
