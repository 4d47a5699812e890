/** What the charts of a report are made of: options of ECharts. */

import type { EChartsCoreOption } from "echarts/core";

import type { Schemas } from "../../api/client";

const GRID = { left: 28, right: 24, top: 40, bottom: 32, containLabel: true };
const named = (name: string) => ({ name, nameLocation: "middle", nameGap: 28 });

/** Lines over x and y, each with a name. */
export function linesOption(
  lines: readonly { name: string; points: readonly (readonly [number, number | null])[] }[],
  axes: { x: string; y: string; isUnit?: boolean; diagonal?: boolean; isStep?: boolean },
): EChartsCoreOption {
  const unit = axes.isUnit ? { min: 0, max: 1 } : { scale: true };
  return {
    grid: GRID,
    legend: { type: "scroll", top: 0 },
    xAxis: { type: "value", ...named(axes.x), ...(axes.isUnit ? unit : { min: "dataMin", max: "dataMax" }) },
    yAxis: { type: "value", ...named(axes.y), nameGap: 50, ...unit },
    series: [
      ...lines.map((line) => ({
        type: "line",
        name: line.name,
        data: line.points,
        showSymbol: line.points.length < 30,
        sampling: "minmax",
        step: axes.isStep ? "end" : undefined,
      })),
      ...(axes.diagonal ? [{ type: "line", data: [[0, 0], [1, 1]], showSymbol: false, silent: true, lineStyle: { type: "dashed", opacity: 0.5 } }] : []),
    ],
  };
}

/** Bars lying on their sides, the first at the top. */
export function barsOption(bars: readonly { name: string; value: number; low?: number | null; high?: number | null }[], x: string): EChartsCoreOption {
  const names = bars.map((bar) => bar.name).reverse();
  const values = [...bars].reverse();
  const hasIntervals = values.some((bar) => bar.low != null && bar.high != null);
  return {
    grid: { ...GRID, left: 8, top: 8 },
    xAxis: { type: "value", ...named(x) },
    yAxis: { type: "category", data: names, axisLabel: { width: 160, overflow: "truncate", interval: 0 } },
    tooltip: { renderMode: "richText", confine: true, trigger: "item" },
    series: [
      { type: "bar", data: values.map((bar) => bar.value), barMaxWidth: 18 },
      ...(hasIntervals
        ? [
            {
              type: "custom",
              silent: true,
              data: values.map((bar, index) => [bar.low ?? bar.value, bar.high ?? bar.value, index]),
              encode: { x: [0, 1], y: 2 },
              renderItem: (_: unknown, api: { value: (dimension: number) => number; coord: (point: [number, number]) => [number, number]; style: (given: object) => object }) => {
                const [left, y] = api.coord([api.value(0), api.value(2)]);
                const [right] = api.coord([api.value(1), api.value(2)]);
                return { type: "line", shape: { x1: left, y1: y, x2: right, y2: y }, style: { stroke: "#888", lineWidth: 1.5 } };
              },
            },
          ]
        : []),
    ],
  };
}

/** Actual classes from top to bottom, predicted ones from left to right; colour is the share of the row. */
export function confusionOption(matrix: Schemas["ConfusionMatrix"], words: { actual: string; predicted: string }): EChartsCoreOption {
  const { labels, counts } = matrix;
  const cells = counts.flatMap((row, actual) => {
    const total = Math.max(1, row.reduce((sum, count) => sum + count, 0));
    return row.map((count, predicted) => ({
      value: [predicted, actual, count / total],
      count,
      label: { color: count / total > 0.55 ? "#ffffff" : "#0f141a" },
    }));
  });
  return {
    grid: { ...GRID, top: 8 },
    tooltip: { renderMode: "richText", confine: true, trigger: "item", formatter: ({ data }: { data: { value: number[]; count: number } }) => `${words.actual}: ${labels[data.value[1] ?? 0]}\n${words.predicted}: ${labels[data.value[0] ?? 0]}\n${data.count}` },
    xAxis: { type: "category", data: labels, ...named(words.predicted), position: "bottom" },
    yAxis: { type: "category", data: labels, inverse: true, ...named(words.actual), nameGap: 60 },
    visualMap: { show: false, min: 0, max: 1, dimension: 2, inRange: { color: ["#ebf3fb", "#0b6bcb"] } },
    series: [{ type: "heatmap", data: cells, label: { show: labels.length <= 12, textBorderWidth: 0, formatter: ({ data }: { data: { count: number } }) => String(data.count) } }],
  };
}

export interface Candidate {
  name: string;
  score: number;
  cost: number;
  isPareto: boolean;
  isChosen: boolean;
}

/** Cost to the right, score upwards. What nothing beats in all figures together may look beaten in two of them. */
export function paretoOption(candidates: readonly Candidate[], axes: { cost: string; score: string; pareto: string; others: string; chosen: string }): EChartsCoreOption {
  const point = (each: Candidate) => ({ name: each.name, value: [each.cost, each.score] });
  return {
    grid: GRID,
    legend: { top: 0, type: "scroll" },
    tooltip: { renderMode: "richText", confine: true, trigger: "item", formatter: ({ name, value }: { name: string; value: number[] }) => `${name}\n${axes.cost}: ${shorten(value[0])}\n${axes.score}: ${shorten(value[1])}` },
    xAxis: { type: logarithmic(candidates) ? "log" : "value", scale: true, ...named(axes.cost) },
    yAxis: { type: "value", scale: true, ...named(axes.score), nameGap: 50 },
    series: [
      { type: "scatter", name: axes.others, data: candidates.filter((each) => !each.isPareto && !each.isChosen).map(point), symbolSize: 8, itemStyle: { opacity: 0.6 } },
      { type: "scatter", name: axes.pareto, data: candidates.filter((each) => each.isPareto && !each.isChosen).map(point), symbolSize: 11 },
      { type: "scatter", name: axes.chosen, data: candidates.filter((each) => each.isChosen).map(point), symbol: "diamond", symbolSize: 18 },
    ],
  };
}

function logarithmic(candidates: readonly Candidate[]): boolean {
  const costs = candidates.map((each) => each.cost);
  return costs.every((cost) => cost > 0) && Math.max(...costs) > 20 * Math.min(...costs);
}

function shorten(value: number | undefined): string {
  return value === undefined ? "–" : String(Number(value.toPrecision(5)));
}
