/** Metrics of answers of which it is known what became true: now, over time, where they are wrong. */

import Alert from "@cloudscape-design/components/alert";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";
import { Chart } from "../../components/Chart";
import { Empty } from "../../components/Empty";
import { formatNumber } from "../../components/values";
import { calibrationOption, confusionOption, overTimeOption } from "./performanceOptions";

type Measured = Schemas["EndpointPerformance"];

export function Performance({ performance }: { performance: Measured }) {
  const { t } = useTranslation("inference");
  const overTime = useMemo(() => overTimeOption(performance), [performance]);
  const confusion = useMemo(
    () => (performance.confusion_matrix == null ? null : confusionOption(performance.confusion_matrix, t("truth.predicted"), t("truth.actual"))),
    [performance, t],
  );
  const calibration = useMemo(() => (performance.calibration == null ? null : calibrationOption(performance.calibration)), [performance]);
  if (performance.num_rows === 0) {
    return (
      <SpaceBetween size="m">
        <Notes notes={performance.notes} />
        <Empty title={t("truth.none")} hint={t("truth.noneHint", { count: performance.num_captured })} />
      </SpaceBetween>
    );
  }
  return (
    <SpaceBetween size="l">
      <Notes notes={performance.notes} />
      <Container header={<Header variant="h2" description={t("truth.rows", { known: performance.num_rows, captured: performance.num_captured })}>{performance.model}</Header>}>
        <KeyValuePairs
          columns={4}
          items={Object.entries(performance.metrics).map(([name, value]) => ({
            label: name,
            value: `${formatNumber(value)} (${t("truth.inTraining", { value: formatNumber(performance.in_training[name]) })})`,
          }))}
        />
      </Container>
      <Container header={<Header variant="h2">{t("truth.overTime")}</Header>}>
        <Chart option={overTime} label={t("truth.overTime")} />
      </Container>
      {confusion !== null && (
        <Container header={<Header variant="h2">{t("truth.confusion")}</Header>}>
          <Chart option={confusion} label={t("truth.confusion")} heightPx={360} />
        </Container>
      )}
      {calibration !== null && (
        <Container header={<Header variant="h2">{t("truth.calibration")}</Header>}>
          <Chart option={calibration} label={t("truth.calibration")} />
        </Container>
      )}
      {performance.slices != null && <SlicesTable slices={performance.slices} />}
    </SpaceBetween>
  );
}

function Notes({ notes }: { notes?: string[] }) {
  return <>{notes?.map((note) => <Alert key={note} type="info">{note}</Alert>)}</>;
}

function SlicesTable({ slices }: { slices: Schemas["Slices"] }) {
  const { t } = useTranslation("inference");
  return (
    <Table
      variant="container"
      items={slices.items}
      trackBy={(each) => `${each.column} ${each.values}`}
      header={<Header variant="h2" description={t("truth.slicesHint", { metric: slices.metric, overall: formatNumber(slices.overall) })}>{t("truth.slices")}</Header>}
      ariaLabels={{ tableLabel: t("truth.slices") }}
      empty={<Empty title={t("truth.noSlices")} />}
      columnDefinitions={[
        { id: "column", header: t("drift.column"), cell: (each) => each.column, isRowHeader: true },
        { id: "values", header: t("truth.values"), cell: (each) => each.values },
        { id: "rows", header: t("metrics.rows"), cell: (each) => formatNumber(each.num_rows) },
        { id: "value", header: slices.metric, cell: (each) => formatNumber(each.value) },
        { id: "range", header: t("truth.range"), cell: (each) => `${formatNumber(each.low)} – ${formatNumber(each.high)}` },
        { id: "worse", header: t("status"), cell: (each) => (each.is_worse ? <StatusIndicator type="warning">{t("truth.worse")}</StatusIndicator> : "–") },
      ]}
    />
  );
}
