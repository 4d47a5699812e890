/** The charts of an answer. */

import type { EChartsCoreOption } from "echarts/core";

import type { Schemas } from "../../api/client";

const MAX_PARTS = 15;

/** Bars from nothing to what each part added or took away, the greatest on top. */
export function explanationOption(explanation: Schemas["Explanation"]): { chart: EChartsCoreOption; parts: Schemas["Contribution"][] } {
  const parts = explanation.contributions.filter(({ value }) => value !== 0).slice(0, MAX_PARTS);
  return {
    parts,
    chart: {
      grid: { left: 10, right: 60, top: 10, bottom: 25, containLabel: true },
      xAxis: { type: "value" },
      yAxis: { type: "category", inverse: true, data: parts.map(({ part }) => part), axisLabel: { width: 140, overflow: "truncate" } },
      series: [
        {
          type: "bar",
          barMaxWidth: 18,
          data: parts.map(({ value }) => ({ value, itemStyle: { color: value < 0 ? "#d91515" : "#0972d3" }, label: { position: value < 0 ? "left" : "right" } })),
          label: { show: true, formatter: ({ value }: { value: number }) => `${value > 0 ? "+" : ""}${Number(value.toPrecision(3))}` },
        },
      ],
    },
  };
}

export function forecastOption(values: number[]): EChartsCoreOption {
  return {
    grid: { left: 50, right: 15, top: 15, bottom: 30 },
    xAxis: { type: "category", data: values.map((_, index) => `+${index + 1}`) },
    yAxis: { type: "value", scale: true },
    series: [{ type: "line", data: values }],
  };
}
