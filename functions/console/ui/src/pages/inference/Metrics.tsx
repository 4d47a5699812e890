/** Traffic as it comes: requests, failures and times, read again every two seconds. */

import Container from "@cloudscape-design/components/container";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { Chart } from "../../components/Chart";
import { Empty } from "../../components/Empty";
import { Loaded } from "../../components/Loaded";
import { formatNumber } from "../../components/values";
import type { Endpoint } from "./endpoint";
import { latencyOption, requestsOption } from "./metricsOptions";

type Traffic = Schemas["Traffic"];

const MINUTES = ["15", "60", "360", "1440"] as const;

export function Metrics({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  const [minutes, setMinutes] = useState("60");
  const query = useQuery({
    queryKey: ["endpoints", endpoint.name, "metrics", minutes],
    queryFn: () =>
      dataOf(
        api.GET("/v1/endpoints/{endpoint}/metrics", {
          params: { path: { endpoint: endpoint.name }, query: { minutes: Number(minutes) } },
        }),
      ),
    refetchInterval: 2_000,
    placeholderData: (before) => before,
  });
  return (
    <SpaceBetween size="l">
      <SegmentedControl
        label={t("metrics.window")}
        selectedId={minutes}
        onChange={({ detail }) => setMinutes(detail.selectedId)}
        options={MINUTES.map((id) => ({ id, text: t(`metrics.last${id}`) }))}
      />
      <Loaded query={query}>{(metrics) => <Shown metrics={metrics} />}</Loaded>
    </SpaceBetween>
  );
}

function Shown({ metrics }: { metrics: Schemas["EndpointMetrics"] }) {
  const { t, i18n } = useTranslation("inference");
  const requests = useMemo(() => requestsOption(metrics, (key) => t(`metrics.${key}`)), [metrics, t, i18n.language]);
  const latency = useMemo(() => latencyOption(metrics), [metrics]);
  const { total } = metrics;
  return (
    <SpaceBetween size="l">
      <Container>
        <KeyValuePairs
          columns={4}
          items={[
            { label: t("metrics.requests"), value: formatNumber(total.requests) },
            { label: t("metrics.rows"), value: formatNumber(total.rows) },
            { label: t("metrics.errorRate"), value: percent(total.error_rate) },
            { label: t("metrics.p95"), value: ms(total.p95_ms) },
          ]}
        />
      </Container>
      {metrics.points.length === 0 ? (
        <Empty title={t("metrics.none")} hint={t("metrics.noneHint")} />
      ) : (
        <Grid gridDefinition={[{ colspan: { default: 12, m: 6 } }, { colspan: { default: 12, m: 6 } }]}>
          <Container header={<Header variant="h2">{t("metrics.requestsByStep", { seconds: metrics.step_seconds })}</Header>}>
            <Chart option={requests} label={t("metrics.requestsByStep", { seconds: metrics.step_seconds })} />
          </Container>
          <Container header={<Header variant="h2">{t("metrics.times")}</Header>}>
            <Chart option={latency} label={t("metrics.times")} />
          </Container>
        </Grid>
      )}
      <Table<Schemas["VersionTraffic"]>
        variant="container"
        items={metrics.versions}
        trackBy={(each) => each.model + String(each.is_shadow)}
        header={<Header variant="h2">{t("metrics.byVersion")}</Header>}
        empty={<Empty title={t("metrics.none")} />}
        ariaLabels={{ tableLabel: t("metrics.byVersion") }}
        columnDefinitions={[
          { id: "model", header: t("version"), cell: (each) => (each.is_shadow ? t("metrics.shadow", { model: each.model }) : each.model), isRowHeader: true },
          ...columns(t),
        ]}
      />
    </SpaceBetween>
  );
}

function columns(t: (key: string) => string) {
  const column = (id: string, cell: (each: Traffic) => string) => ({ id, header: t(`metrics.${id}`), cell });
  return [
    column("requests", (each) => formatNumber(each.requests)),
    column("errors", (each) => formatNumber(each.errors)),
    column("refused", (each) => formatNumber(each.refused)),
    column("rows", (each) => formatNumber(each.rows)),
    column("errorRate", (each) => percent(each.error_rate)),
    column("disagreement", (each) => percent(each.disagreement)),
    column("p50", (each) => ms(each.p50_ms)),
    column("p95", (each) => ms(each.p95_ms)),
    column("p99", (each) => ms(each.p99_ms)),
  ];
}

function percent(share: number | null): string {
  return share === null ? "–" : `${formatNumber(share * 100, 3)} %`;
}

function ms(value: number | null): string {
  return value === null ? "–" : `${formatNumber(value, 3)} ms`;
}
