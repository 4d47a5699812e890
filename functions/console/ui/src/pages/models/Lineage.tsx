/** The lineage of a version: a picture to follow, and the same as links. */

import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQueries, useQuery } from "@tanstack/react-query";
import type { EChartsCoreOption } from "echarts/core";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { Link, useGo } from "../../app/links";
import { Chart } from "../../components/Chart";
import { type Graph, graphOf, type Source } from "./lineage";
import { useEndpoints } from "./versions";

const COLOURS = { source: "#7d8998", dataset: "#0b6bcb", model: "#8456ce", job: "#b2640a", version: "#8456ce", endpoint: "#067f68" } as const;
/** Width and height. */
const NODE = [150, 36] as const;
const KINDS = ["source", "dataset", "model", "job", "version", "endpoint"] as const;

export function Lineage({ version }: { version: Schemas["ModelVersionDetail"] }) {
  const { t } = useTranslation("models");
  const go = useGo();
  const endpoints = useEndpoints();
  const job = useQuery({ queryKey: ["job", version.job_id], queryFn: () => dataOf(api.GET("/v1/jobs/{job}", { params: { path: { job: version.job_id } } })), retry: false });
  const names = [...new Set(Object.values(version.datasets).map((pin) => pin.dataset_name))];
  const found = useQueries({
    queries: names.map((dataset) => ({
      queryKey: ["datasets", dataset, "lineage"],
      queryFn: () => dataOf(api.GET("/v1/datasets/{dataset}/lineage", { params: { path: { dataset } } })),
      retry: false,
    })),
  });
  const sources = found.flatMap(({ data }): Source[] => (data?.source_id == null ? [] : [{ dataset: data.dataset_name, id: data.source_id, name: data.source_name ?? data.source_id }]));
  const graph = graphOf(version, job.data ?? null, endpoints.data ?? [], sources);
  const rows = Math.max(...graph.nodes.map((node) => graph.nodes.filter((other) => other.column === node.column).length));
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2" description={t("lineage.hint")}>{t("lineage.title")}</Header>}>
        <Chart
          label={t("lineage.label", { name: `${version.model_name}@${version.number}`, count: graph.nodes.length })}
          option={optionOf(graph)}
          heightPx={Math.max(140, rows * 64)}
          onClick={({ name }) => {
            const path = graph.nodes.find((node) => node.id === name)?.path;
            if (path != null) go(path);
          }}
        />
      </Container>
      <Container header={<Header variant="h2">{t("lineage.links")}</Header>}>
        <KeyValuePairs
          columns={4}
          items={KINDS.map((kind) => {
            const nodes = graph.nodes.filter((node) => node.kind === kind);
            return {
              label: t(`lineage.kinds.${kind}`),
              value:
                nodes.length === 0 ? (
                  <Box color="text-body-secondary">–</Box>
                ) : (
                  <SpaceBetween size="xxs">
                    {nodes.map((node) => (node.path === null ? <span key={node.id}>{node.label}</span> : <Link key={node.id} to={node.path}>{node.label}</Link>))}
                  </SpaceBetween>
                ),
            };
          })}
        />
      </Container>
    </SpaceBetween>
  );
}

function optionOf(graph: Graph): EChartsCoreOption {
  const columns = [...new Set(graph.nodes.map((node) => node.column))].sort((a, b) => a - b);
  const inColumn = (column: number) => graph.nodes.filter((node) => node.column === column);
  const height = Math.max(...columns.map((column) => inColumn(column).length)) / 2;
  const data = graph.nodes.map((node) => {
    const beside = inColumn(node.column);
    return {
      name: node.id,
      value: [columns.indexOf(node.column), beside.indexOf(node) - (beside.length - 1) / 2],
      itemStyle: { color: COLOURS[node.kind] },
      label: { show: true, formatter: shorten(node.label), color: "#ffffff", width: NODE[0] - 10, overflow: "truncate" },
      cursor: node.path === null ? "default" : "pointer",
    };
  });
  return {
    grid: { left: NODE[0] / 2, right: NODE[0] / 2, top: 8, bottom: 8 },
    tooltip: { renderMode: "richText", confine: true, trigger: "item", formatter: ({ name }: { name: string }) => name },
    xAxis: { type: "value", show: false, min: 0, max: Math.max(columns.length - 1, 1) },
    yAxis: { type: "value", show: false, inverse: true, min: -height, max: height },
    series: [
      {
        type: "graph",
        coordinateSystem: "cartesian2d",
        symbol: "rect",
        symbolSize: NODE,
        data,
        edges: graph.edges.map(([source, target]) => ({ source, target })),
        lineStyle: { width: 1.5, opacity: 0.8 },
      },
    ],
  };
}

function shorten(label: string): string {
  const plain = label.replace(/job_([0-9a-f]{6})[0-9a-f]+/, "$1…");
  return plain.length > 22 ? `${plain.slice(0, 21)}…` : plain;
}
