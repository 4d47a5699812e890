/** How far what is asked now is from what the model was trained on, column by column. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { Chart } from "../../components/Chart";
import { Empty } from "../../components/Empty";
import { Loaded } from "../../components/Loaded";
import { formatNumber } from "../../components/values";
import { DownloadReport } from "./DownloadReport";
import type { Endpoint } from "./endpoint";
import { Window } from "./Window";

type Column = Schemas["ColumnDrift"];

export function Drift({ endpoint }: { endpoint: Endpoint }) {
  const [minutes, setMinutes] = useState("1440");
  const query = useQuery({
    queryKey: ["endpoints", endpoint.name, "drift", minutes],
    queryFn: () =>
      dataOf(api.GET("/v1/endpoints/{endpoint}/drift", { params: { path: { endpoint: endpoint.name }, query: { minutes: Number(minutes) } } })),
    refetchInterval: 15_000,
    placeholderData: (before) => before,
  });
  return (
    <SpaceBetween size="l">
      <SpaceBetween size="m" direction="horizontal">
        <Window minutes={minutes} onChange={setMinutes} />
        <DownloadReport endpoint={endpoint} minutes={minutes} />
      </SpaceBetween>
      <Loaded query={query}>{(drift) => <Shown drift={drift} />}</Loaded>
    </SpaceBetween>
  );
}

function Shown({ drift }: { drift: Schemas["EndpointDrift"] }) {
  const { t } = useTranslation("inference");
  const columns = drift.answers == null ? drift.columns : [{ ...drift.answers, name: t("drift.answers") }, ...drift.columns];
  const [name, setName] = useState<string | null>(null);
  const shown = columns.find((each) => each.name === name) ?? columns[0];
  return (
    <SpaceBetween size="l">
      {drift.notes?.map((note) => (
        <Alert key={note} type="info">
          {note}
        </Alert>
      ))}
      <Table<Column>
        variant="container"
        items={columns}
        trackBy="name"
        selectionType="single"
        selectedItems={shown === undefined ? [] : [shown]}
        onSelectionChange={({ detail }) => setName(detail.selectedItems[0]?.name ?? null)}
        onRowClick={({ detail }) => setName(detail.item.name)}
        header={
          <Header variant="h2" counter={`(${columns.length})`} description={t("drift.hint", { rows: drift.num_rows, training: drift.training ?? "–" })}>
            {t("drift.title")}
          </Header>
        }
        empty={<Empty title={t("drift.none")} hint={t("drift.noneHint")} />}
        ariaLabels={{ tableLabel: t("drift.title"), selectionGroupLabel: t("table.select", { ns: "common" }), itemSelectionLabel: (_, item) => item.name }}
        columnDefinitions={[
          { id: "name", header: t("drift.column"), cell: (each) => each.name, isRowHeader: true },
          {
            id: "state",
            header: t("status"),
            cell: (each) => <StatusIndicator type={each.is_drift ? "warning" : "success"}>{t(each.is_drift ? "drift.yes" : "drift.no")}</StatusIndicator>,
          },
          { id: "psi", header: t("drift.psi"), cell: (each) => t("drift.ofLimit", { value: formatNumber(each.psi, 3), limit: formatNumber(each.psi_limit, 3) }) },
          { id: "ks", header: t("drift.ks"), cell: (each) => (each.ks == null ? "–" : t("drift.ofLimit", { value: formatNumber(each.ks, 3), limit: formatNumber(each.ks_limit, 3) })) },
        ]}
      />
      {shown !== undefined && <Compared column={shown} />}
    </SpaceBetween>
  );
}

function Compared({ column }: { column: Column }) {
  const { t } = useTranslation("inference");
  const option = useMemo(
    () => ({
      grid: { left: 50, right: 15, top: 35, bottom: 50 },
      legend: { top: 0 },
      xAxis: { type: "category", data: column.chart.labels, axisLabel: { hideOverlap: true } },
      yAxis: { type: "value" },
      series: [
        { name: t("drift.before"), type: "bar", itemStyle: { color: "#7d8998" }, data: column.chart.before },
        { name: t("drift.now"), type: "bar", itemStyle: { color: "#0972d3" }, data: column.chart.now },
      ],
    }),
    [column, t],
  );
  return (
    <Container header={<Header variant="h2">{column.name}</Header>}>
      {column.chart.labels.length === 0 ? <Box>–</Box> : <Chart option={option} label={t("drift.chart", { name: column.name })} />}
    </Container>
  );
}
