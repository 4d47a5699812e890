/** The charts of traffic. */

import type { EChartsCoreOption } from "echarts/core";

import type { Schemas } from "../../api/client";

type Metrics = Schemas["EndpointMetrics"];

const GRID = { left: 50, right: 15, top: 35, bottom: 30 };

function frame(metrics: Metrics): EChartsCoreOption {
  return { grid: GRID, legend: { top: 0 }, xAxis: { type: "time", min: Date.parse(metrics.since), max: Date.parse(metrics.until) } };
}

/** Bars of what was answered, failed, or was wrong. */
export function requestsOption(metrics: Metrics, nameOf: (key: string) => string): EChartsCoreOption {
  const bars = [
    { key: "answered", color: "#0972d3", of: (point: Metrics["points"][number]) => point.requests - point.errors - point.refused },
    { key: "errors", color: "#d91515", of: (point: Metrics["points"][number]) => point.errors },
    { key: "refused", color: "#b2911c", of: (point: Metrics["points"][number]) => point.refused },
  ];
  return {
    ...frame(metrics),
    yAxis: { type: "value", minInterval: 1 },
    series: bars.map(({ key, color, of }) => ({
      name: nameOf(key),
      type: "bar",
      stack: "requests",
      barMaxWidth: 12,
      itemStyle: { color },
      data: metrics.points.map((point) => [Date.parse(point.at), of(point)]),
    })),
  };
}

/** Lines of the percentiles; a step without requests is a gap. */
export function latencyOption(metrics: Metrics): EChartsCoreOption {
  const lines = [
    { name: "p50", of: (point: Metrics["points"][number]) => point.p50_ms },
    { name: "p95", of: (point: Metrics["points"][number]) => point.p95_ms },
    { name: "p99", of: (point: Metrics["points"][number]) => point.p99_ms },
  ];
  return {
    ...frame(metrics),
    yAxis: { type: "value", name: "ms" },
    series: lines.map(({ name, of }) => ({
      name,
      type: "line",
      symbolSize: 5,
      sampling: "minmax",
      data: withGaps(metrics, of),
    })),
  };
}

/** Points that are more than a step apart are not joined. */
export function withGaps(metrics: Metrics, of: (point: Metrics["points"][number]) => number | null): [number, number | null][] {
  const step = metrics.step_seconds * 1000;
  const found: [number, number | null][] = [];
  for (const point of metrics.points) {
    const at = Date.parse(point.at);
    const last = found.at(-1);
    if (last !== undefined && at - last[0] > step * 1.5) found.push([last[0] + step, null]);
    found.push([at, of(point)]);
  }
  return found;
}
