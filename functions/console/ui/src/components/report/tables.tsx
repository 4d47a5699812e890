/** The tables of a report. */

import Box from "@cloudscape-design/components/box";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Header from "@cloudscape-design/components/header";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";
import { formatNumber } from "../values";

export function MetricTable({ evaluations }: { evaluations: readonly Schemas["Evaluation"][] }) {
  const { t } = useTranslation("models");
  const names = [...new Set(evaluations.flatMap((each) => Object.keys(each.metrics)))];
  return (
    <Table
      variant="container"
      header={<Header variant="h2">{t("report.metrics")}</Header>}
      items={evaluations}
      trackBy="channel"
      ariaLabels={{ tableLabel: t("report.metrics") }}
      columnDefinitions={[
        { id: "channel", header: t("report.channel"), cell: (each) => each.channel, isRowHeader: true },
        { id: "rows", header: t("report.rows"), cell: (each) => formatNumber(each.num_rows) },
        ...names.map((name) => ({ id: name, header: name, cell: (each: Schemas["Evaluation"]) => formatNumber(each.metrics[name], 5) })),
      ]}
    />
  );
}

export function ClassTable({ classes }: { classes: readonly Schemas["ClassScore"][] }) {
  const { t } = useTranslation("models");
  return (
    <Table
      variant="container"
      header={<Header variant="h2">{t("report.classes")}</Header>}
      items={classes}
      trackBy="label"
      ariaLabels={{ tableLabel: t("report.classes") }}
      columnDefinitions={[
        { id: "label", header: t("report.class"), cell: (each) => each.label, isRowHeader: true },
        { id: "rows", header: t("report.rows"), cell: (each) => formatNumber(each.num_rows) },
        { id: "predicted", header: t("report.predicted"), cell: (each) => formatNumber(each.num_predicted) },
        { id: "precision", header: t("report.precision"), cell: (each) => formatNumber(each.precision) },
        { id: "recall", header: t("report.recall"), cell: (each) => formatNumber(each.recall) },
        { id: "f1", header: "F1", cell: (each) => formatNumber(each.f1) },
      ]}
    />
  );
}

export function SliceTable({ slices }: { slices: Schemas["Slices"] }) {
  const { t } = useTranslation("models");
  return (
    <Table
      variant="container"
      header={
        <Header variant="h2" description={t("report.slicesHint", { metric: slices.metric, overall: formatNumber(slices.overall, 5) })}>
          {t("report.slices")}
        </Header>
      }
      items={slices.items.slice(0, 20)}
      ariaLabels={{ tableLabel: t("report.slices") }}
      columnDefinitions={[
        { id: "column", header: t("report.column"), cell: (each) => each.column, isRowHeader: true },
        { id: "values", header: t("report.values"), cell: (each) => each.values },
        { id: "rows", header: t("report.rows"), cell: (each) => formatNumber(each.num_rows) },
        { id: "value", header: slices.metric, cell: (each) => formatNumber(each.value, 5) },
        { id: "interval", header: "95 %", cell: (each) => (each.low == null ? "–" : `${formatNumber(each.low)} – ${formatNumber(each.high)}`) },
        { id: "worse", header: t("report.verdict"), cell: (each) => (each.is_worse ? <StatusIndicator type="warning">{t("report.worse")}</StatusIndicator> : "–") },
      ]}
    />
  );
}

export function ExampleTable({ report }: { report: Schemas["ModelReport"] }) {
  const { t } = useTranslation("models");
  const columns = Object.keys(report.examples[0]?.values ?? {}).slice(0, 6);
  const header = report.num_wrong == null ? t("report.examples") : t("report.examplesOf", { count: report.num_wrong });
  return (
    <ExpandableSection variant="container" headerText={header} headingTagOverride="h2">
      <Table
        variant="embedded"
        items={report.examples}
        ariaLabels={{ tableLabel: header }}
        empty={<Box>–</Box>}
        columnDefinitions={[
          { id: "row", header: t("report.row"), cell: (each) => each.row, isRowHeader: true },
          ...(report.examples.some((each) => each.picture != null)
            ? [{ id: "picture", header: t("report.picture"), cell: (each: Schemas["Example"]) => (each.picture ? <img src={each.picture} alt={`${each.actual} / ${each.predicted}`} height={48} /> : "–") }]
            : []),
          { id: "actual", header: t("report.actual"), cell: (each) => each.actual },
          { id: "predicted", header: t("report.predicted"), cell: (each) => each.predicted },
          { id: "how", header: t("report.how"), cell: (each) => (each.error != null ? formatNumber(each.error) : each.probabilities.map((one) => `${one.label} ${formatNumber(one.probability, 3)}`).join(", ")) },
          ...columns.map((name) => ({ id: `value-${name}`, header: name, cell: (each: Schemas["Example"]) => each.values[name] ?? "–" })),
        ]}
      />
    </ExpandableSection>
  );
}
