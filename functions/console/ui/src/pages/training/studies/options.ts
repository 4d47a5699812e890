/** The pictures of a study, as options of ECharts. */

import type { EChartsCoreOption } from "echarts/core";

import type { Goal, Point } from "./objectives";
import type { Trial } from "./pages";

const GRID = { left: 28, right: 24, top: 40, bottom: 32, containLabel: true };
const named = (name: string) => ({ name, nameLocation: "middle", nameGap: 28 });
const MAX_LINES = 200;
const MAX_AXES = 10;

export function historyOption(points: readonly Point[], goal: Goal, words: { trial: string; best: string; trials: string }): EChartsCoreOption {
  return {
    grid: GRID,
    legend: { top: 0 },
    xAxis: { type: "value", ...named(words.trial), minInterval: 1 },
    yAxis: { type: "value", scale: true, ...named(goal.metric), nameGap: 44 },
    dataZoom: [{ type: "inside", filterMode: "none" }],
    series: [
      { type: "scatter", name: words.trials, data: points.map((point) => [point.number, point.value]), symbolSize: 6, large: true },
      { type: "line", name: words.best, data: points.map((point) => [point.number, point.best]), step: "end", showSymbol: false },
    ],
  };
}

/** A line for each trial through its hyperparameters to its value, which colours it. */
export function parallelOption(trials: readonly Trial[], names: readonly string[], goal: Goal): EChartsCoreOption {
  const shown = trials.filter((trial) => trial.values != null).slice(-MAX_LINES);
  const axes = names.slice(0, MAX_AXES);
  const values = shown.map((trial) => trial.values?.[0] ?? 0);
  return {
    parallel: { left: 40, right: 80, top: 60, bottom: 24, parallelAxisDefault: { nameTextStyle: { width: 110, overflow: "truncate" } } },
    parallelAxis: [...axes.map((name, dim) => ({ dim, name: shorten(plainName(name)), ...axisOf(shown.map((trial) => trial.hyperparameters[name])) })), { dim: axes.length, name: goal.metric, scale: true }],
    visualMap: { show: true, right: 0, top: "middle", min: Math.min(...values), max: Math.max(...values), dimension: axes.length, precision: 4, inRange: { color: goal.isLower ? ["#0b6bcb", "#c9d6e2"] : ["#c9d6e2", "#0b6bcb"] } },
    tooltip: { show: false },
    series: [{ type: "parallel", data: shown.map((trial) => [...axes.map((name) => plain(trial.hyperparameters[name])), trial.values?.[0] ?? 0]), lineStyle: { width: 1.5, opacity: 0.6 } }],
  };
}

/** The value over one hyperparameter. */
export function sliceOption(trials: readonly Trial[], name: string, goal: Goal): EChartsCoreOption {
  const points = trials.flatMap((trial) => (trial.values?.[0] === undefined || !(name in trial.hyperparameters) ? [] : [[plain(trial.hyperparameters[name]), trial.values[0]]]));
  const axis = axisOf(trials.map((trial) => trial.hyperparameters[name]).filter((value) => value !== undefined));
  return {
    grid: { ...GRID, top: 16 },
    tooltip: { renderMode: "richText", confine: true, trigger: "item" },
    xAxis: { ...axis, ...named(plainName(name)) },
    yAxis: { type: "value", scale: true, ...named(goal.metric), nameGap: 44 },
    series: [{ type: "scatter", data: points, symbolSize: 6, itemStyle: { opacity: 0.6 } }],
  };
}

/** Logarithmic where values span a hundredfold, by name where they are no numbers. */
function axisOf(values: readonly unknown[]): object {
  const present = values.filter((value) => value !== undefined && value !== null);
  if (!present.every((value) => typeof value === "number")) {
    return { type: "category", data: [...new Set(present.map(String))] };
  }
  const numbers = present as number[];
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return low > 0 && high > 100 * low ? { type: "log", scale: true } : { type: "value", scale: true };
}

function plain(value: unknown): number | string {
  return typeof value === "number" ? value : value === undefined || value === null ? "-" : String(value);
}

/** Without the algorithm that stands before it. */
export function plainName(name: string): string {
  return name.slice(name.indexOf(".") + 1);
}

function shorten(name: string): string {
  return name.length > 18 ? `…${name.slice(-17)}` : name;
}
