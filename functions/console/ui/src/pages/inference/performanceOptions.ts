/** The charts of what became true. */

import type { EChartsCoreOption } from "echarts/core";

import type { Schemas } from "../../api/client";

const GRID = { left: 55, right: 20, top: 40, bottom: 35 };

export function overTimeOption({ points, metrics }: Schemas["EndpointPerformance"]): EChartsCoreOption {
  return {
    grid: GRID,
    legend: { top: 0, type: "scroll" },
    xAxis: { type: "time" },
    yAxis: { type: "value", scale: true },
    series: Object.keys(metrics).map((name) => ({
      name,
      type: "line",
      data: points.filter((point) => name in point.metrics).map((point) => [Date.parse(point.at), point.metrics[name]]),
    })),
  };
}

export function confusionOption({ labels, counts }: Schemas["ConfusionMatrix"], predicted: string, actual: string): EChartsCoreOption {
  const cells = counts.flatMap((row, y) => row.map((count, x) => [x, y, count]));
  return {
    grid: { left: 90, right: 20, top: 20, bottom: 60 },
    tooltip: { renderMode: "richText", trigger: "item" },
    xAxis: { type: "category", data: labels, name: predicted, nameLocation: "middle", nameGap: 32 },
    yAxis: { type: "category", data: labels, name: actual, nameLocation: "middle", nameGap: 65, inverse: true },
    visualMap: { show: false, min: 0, max: Math.max(1, ...cells.map((cell) => cell[2]!)), inRange: { color: ["#e9f2fb", "#0972d3"] } },
    series: [{ type: "heatmap", data: cells, label: { show: labels.length <= 12 } }],
  };
}

/** How often what was given a probability was true: on the diagonal where it is well calibrated. */
export function calibrationOption({ bins }: Schemas["Calibration"]): EChartsCoreOption {
  return {
    grid: GRID,
    xAxis: { type: "value", min: 0, max: 1 },
    yAxis: { type: "value", min: 0, max: 1 },
    series: [
      { type: "line", symbol: "none", lineStyle: { type: "dashed", color: "#7d8998" }, data: [[0, 0], [1, 1]] },
      { type: "line", data: bins.filter((bin) => bin.num_rows > 0).map((bin) => [bin.mean_probability, bin.share]) },
    ],
  };
}
