/** The chart of costs. */

import type { EChartsCoreOption } from "echarts/core";

import type { Schemas } from "../../api/client";

export const KINDS: readonly Schemas["CostKind"][] = ["jobs", "endpoints", "predictions", "queries", "storage"];

/** A bar for each day, of kinds upon each other. */
export function daysOption(costs: Pick<Schemas["Costs"], "days">, nameOf: (kind: string) => string): EChartsCoreOption {
  const present = KINDS.filter((kind) => costs.days.some((day) => (day.by_kind[kind] ?? 0) > 0));
  return {
    grid: { left: 60, right: 15, top: 35, bottom: 30 },
    legend: { top: 0 },
    xAxis: { type: "category", data: costs.days.map((day) => day.date) },
    yAxis: { type: "value", name: "USD" },
    series: present.map((kind) => ({
      name: nameOf(kind),
      type: "bar",
      stack: "costs",
      barMaxWidth: 28,
      data: costs.days.map((day) => day.by_kind[kind] ?? 0),
    })),
  };
}
