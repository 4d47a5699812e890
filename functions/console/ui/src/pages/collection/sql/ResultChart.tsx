/** A chart from the rows that are there. */

import ColumnLayout from "@cloudscape-design/components/column-layout";
import FormField from "@cloudscape-design/components/form-field";
import Multiselect from "@cloudscape-design/components/multiselect";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { cellText } from "../../../components/cells";
import { Chart } from "../../../components/Chart";
import { buildOption, type ChartColumn, firstChoice, isNumeric, type Kind, KINDS } from "./charting";

const MAX_SERIES = 10;

export function ResultChart({ columns, rows }: { columns: readonly ChartColumn[]; rows: readonly (readonly unknown[])[] }) {
  const { t } = useTranslation("collection");
  const [choice, setChoice] = useState(() => firstChoice(columns));
  const option = useMemo(() => buildOption(choice, columns, rows), [choice, columns, rows]);
  const options = columns.map((column, index) => ({ value: String(index), label: cellText(column.name), description: column.type }));
  const numbers = options.filter((_, index) => isNumeric(columns[index]!));
  const kinds = KINDS.map((kind) => ({ value: kind, label: t(`sql.kind.${kind}`) }));
  return (
    <SpaceBetween size="m">
      <ColumnLayout columns={3}>
        <FormField label={t("sql.chart")}>
          <Select
            options={kinds}
            selectedOption={kinds.find((each) => each.value === choice.kind) ?? null}
            onChange={({ detail }) => setChoice({ ...choice, kind: detail.selectedOption.value as Kind })}
          />
        </FormField>
        {choice.kind !== "histogram" && (
          <FormField label={t("sql.across")}>
            <Select options={options} selectedOption={options[choice.x] ?? null} onChange={({ detail }) => setChoice({ ...choice, x: Number(detail.selectedOption.value) })} />
          </FormField>
        )}
        <FormField label={t("sql.values")}>
          {choice.kind === "histogram" ? (
            <Select options={numbers} selectedOption={options[choice.y[0] ?? 0] ?? null} onChange={({ detail }) => setChoice({ ...choice, y: [Number(detail.selectedOption.value)] })} />
          ) : (
            <Multiselect
              options={numbers}
              selectedOptions={choice.y.map((index) => options[index]!)}
              onChange={({ detail }) => setChoice({ ...choice, y: detail.selectedOptions.slice(0, MAX_SERIES).map((each) => Number(each.value)) })}
              inlineTokens
            />
          )}
        </FormField>
      </ColumnLayout>
      <Chart option={option} label={t("sql.chartOf", { count: rows.length })} heightPx={420} />
    </SpaceBetween>
  );
}
