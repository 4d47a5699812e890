import { describe, expect, it } from "vitest";

import { binsOf, buildOption, firstChoice } from "./charting";

const COLUMNS = [
  { name: "day", type: "date" },
  { name: "{{constructor.constructor('alert(1)')()}}", type: "double" },
  { name: "price", type: "decimal(10,2)" },
];
const ROWS = [
  ["2026-01-01", 1.5, "10.25"],
  ["2026-01-02", null, "NaN"],
];

function series(option: object): { name: string; data: Iterable<unknown> }[] {
  return (option as { series: { name: string; data: Iterable<unknown> }[] }).series;
}

describe("charts of a result", () => {
  it("i3: names and cells are data, and nothing but the chosen columns is read", () => {
    const [drawn, ...others] = series(buildOption({ kind: "line", x: 0, y: [1] }, COLUMNS, ROWS));
    expect(others).toEqual([]);
    expect(drawn?.name).toBe("{{constructor.constructor('alert(1)')()}}");
    expect([...(drawn?.data ?? [])]).toEqual([Date.UTC(2026, 0, 1), 1.5, Date.UTC(2026, 0, 2), NaN]);
    expect(JSON.stringify(buildOption({ kind: "line", x: 0, y: [1] }, COLUMNS, ROWS))).not.toContain("formatter");
  });

  it("reads decimals, and draws nothing where there is no number", () => {
    expect(series(buildOption({ kind: "bar", x: 0, y: [2] }, COLUMNS, ROWS))[0]?.data).toEqual([["2026-01-01", 10.25], ["2026-01-02", null]]);
  });

  it("takes times for UTC", () => {
    const columns = [{ name: "at", type: "timestamp" }, { name: "n", type: "bigint" }];
    const [drawn] = series(buildOption({ kind: "scatter", x: 0, y: [1] }, columns, [["2026-01-01 12:30:00.000", 7]]));
    expect([...(drawn?.data ?? [])]).toEqual([Date.UTC(2026, 0, 1, 12, 30), 7]);
  });

  it("chooses what fits at first", () => {
    expect(firstChoice(COLUMNS)).toEqual({ kind: "line", x: 0, y: [1] });
    expect(firstChoice([{ name: "n", type: "bigint" }, { name: "city", type: "varchar" }])).toEqual({ kind: "bar", x: 1, y: [0] });
  });

  it("counts every value into a bin, also where all are the same", () => {
    const { counts, edges } = binsOf(Array.from({ length: 1_000 }, (_, index) => index));
    expect(counts.reduce((sum, each) => sum + each)).toBe(1_000);
    expect(edges).toHaveLength(counts.length + 1);
    expect(binsOf([3, 3, 3]).counts).toEqual([3]);
    expect(binsOf([]).counts).toEqual([]);
  });
});
