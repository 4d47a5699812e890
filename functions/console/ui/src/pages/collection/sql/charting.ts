/** Charts of a result: a fixed choice of kinds and columns. Nothing that somebody writes is computed (I3). */

import type { EChartsCoreOption } from "echarts/core";

import { cellText } from "../../../components/cells";

export const KINDS = ["line", "bar", "scatter", "histogram"] as const;
export type Kind = (typeof KINDS)[number];

export interface ChartColumn {
  name: string;
  type: string;
}

export interface Choice {
  kind: Kind;
  /** Positions of columns: names may occur twice. */
  x: number;
  y: readonly number[];
}

type Rows = readonly (readonly unknown[])[];
const NUM_BINS = 40;
const SAMPLED = 2_000;

export function isNumeric(column: ChartColumn): boolean {
  return /^(tinyint|smallint|integer|bigint|real|float|double|decimal\b)/.test(column.type);
}

function isTime(column: ChartColumn): boolean {
  return /^(date|timestamp)/.test(column.type);
}

/** What is drawn at first: the first column of numbers over the first other one. */
export function firstChoice(columns: readonly ChartColumn[]): Choice {
  const numeric = columns.findIndex((column, index) => index > 0 && isNumeric(column));
  const y = numeric === -1 ? Math.max(columns.findIndex(isNumeric), 0) : numeric;
  const x = y === 0 ? Math.min(1, columns.length - 1) : 0;
  const of = columns[x];
  return { kind: of !== undefined && (isNumeric(of) || isTime(of)) ? "line" : "bar", x, y: [y] };
}

export function buildOption(choice: Choice, columns: readonly ChartColumn[], rows: Rows): EChartsCoreOption {
  if (choice.kind === "histogram") return histogram(choice, columns, rows);
  const { kind, x, y } = choice;
  const across = columns[x];
  const axis = across === undefined || kind === "bar" ? "category" : isNumeric(across) ? "value" : isTime(across) ? "time" : "category";
  return {
    ...frame(y.length > 1),
    dataZoom: rows.length > 50 ? [{ type: "inside" }, { type: "slider", height: 20, bottom: 4 }] : undefined,
    xAxis: { type: axis, name: cellText(across?.name ?? ""), nameLocation: "middle", nameGap: 28, scale: true, axisLabel: { hideOverlap: true, width: 120, overflow: "truncate" } },
    yAxis: { type: "value", scale: kind !== "bar" },
    series: y.map((column) => ({
      type: kind,
      name: cellText(columns[column]?.name ?? ""),
      dimensions: ["x", "y"],
      data: axis === "category" ? rows.map((row) => [category(row[x]), numberOf(row[column])]) : pairsOf(rows, axis === "time" ? timeOf : numberOf, x, column),
      symbolSize: kind === "scatter" ? 5 : 4,
      showSymbol: kind === "scatter" || rows.length <= 100,
      large: kind !== "line",
      largeThreshold: SAMPLED,
      sampling: kind === "line" ? "minmax" : undefined,
    })),
  };
}

function histogram({ y }: Choice, columns: readonly ChartColumn[], rows: Rows): EChartsCoreOption {
  const column = y[0] ?? 0;
  const { edges, counts } = binsOf(rows.map((row) => numberOf(row[column])).filter((value) => value !== null));
  return {
    ...frame(false),
    xAxis: { type: "category", name: cellText(columns[column]?.name ?? ""), nameLocation: "middle", nameGap: 28, data: edges.slice(0, -1).map((edge) => edge.toPrecision(4)), axisLabel: { hideOverlap: true } },
    yAxis: { type: "value" },
    series: [{ type: "bar", name: cellText(columns[column]?.name ?? ""), data: counts, barCategoryGap: "2%" }],
  };
}

export function binsOf(values: readonly number[]): { edges: number[]; counts: number[] } {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (values.length === 0) return { edges: [0], counts: [] };
  const width = (high - low) / NUM_BINS || 1;
  const counts = new Array<number>(low === high ? 1 : NUM_BINS).fill(0);
  for (const value of values) {
    const bin = Math.min(Math.floor((value - low) / width), counts.length - 1);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { edges: Array.from({ length: counts.length + 1 }, (_, index) => low + index * width), counts };
}

/** One after the other in one array, which ECharts takes as it is: a hundred thousand of them are no work. */
function pairsOf(rows: Rows, across: (value: unknown) => number | null, x: number, y: number): Float64Array {
  const pairs = new Float64Array(rows.length * 2);
  rows.forEach((row, index) => {
    pairs[2 * index] = across(row[x]) ?? NaN;
    pairs[2 * index + 1] = numberOf(row[y]) ?? NaN;
  });
  return pairs;
}

function category(value: unknown): string {
  return value === null || value === undefined ? "–" : cellText(value);
}

/** Times come in UTC, without saying so. */
function timeOf(value: unknown): number | null {
  const at = typeof value === "string" ? Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(value) || !value.includes(":") ? value : `${value.replace(" ", "T")}Z`) : NaN;
  return Number.isFinite(at) ? at : null;
}

/** Decimals come as text. */
function numberOf(value: unknown): number | null {
  const number = typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
  return Number.isFinite(number) ? number : null;
}

function frame(hasLegend: boolean) {
  return { legend: hasLegend ? { top: 0, type: "scroll" } : undefined, grid: { left: 16, right: 24, top: hasLegend ? 36 : 16, bottom: 56, containLabel: true } };
}
