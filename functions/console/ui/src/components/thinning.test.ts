import { describe, expect, it } from "vitest";

import { inOrder, ManyPoints, numOf, thin } from "./thinning";

function line(num: number, valueOf: (index: number) => number): Float64Array {
  return Float64Array.from({ length: 2 * num }, (_, index) => (index % 2 === 0 ? index / 2 : valueOf((index - 1) / 2)));
}

function values(pairs: Float64Array): number[] {
  return [...pairs].filter((_, index) => index % 2 === 1);
}

describe("thinning", () => {
  it("i7: of a million points a few are left, with every peak", () => {
    const pairs = line(1_000_000, (index) => (index === 777_777 ? 50 : index === 333_333 ? -50 : Math.sin(index)));
    const thinned = thin(pairs, 0, 999_999, 500);
    expect(numOf(thinned)).toBeLessThanOrEqual(1_002);
    expect(Math.max(...values(thinned))).toBe(50);
    expect(Math.min(...values(thinned))).toBe(-50);
    expect([thinned[0], thinned.at(-2)]).toEqual([0, 999_999]);
    expect(inOrder(thinned)).toBe(thinned);
  });

  it("shows every point where the window holds few, and one beyond on either side", () => {
    expect([...thin(line(10_000, (index) => index), 100, 102, 500)].filter((_, index) => index % 2 === 0)).toEqual([99, 100, 101, 102, 103]);
  });

  it("keeps gaps that are as wide as a column, and no narrower ones", () => {
    const pairs = line(10_000, (index) => (index >= 2_000 && index < 3_000) || index % 7 === 0 ? NaN : index);
    const thinned = thin(pairs, 0, 9_999, 100);
    const gaps = [...thinned.keys()].filter((index) => index % 2 === 1 && index > 1 && Number.isNaN(thinned[index]!)).map((index) => thinned[index - 1]!);
    expect(gaps.length).toBeGreaterThan(5);
    expect(gaps.every((at) => at >= 1_900 && at < 3_100)).toBe(true);
  });

  it("turns what falls, and leaves alone what goes back and forth or has holes in x", () => {
    expect([...inOrder(Float64Array.of(3, 30, 2, 20, 1, 10))!]).toEqual([1, 10, 2, 20, 3, 30]);
    expect(inOrder(Float64Array.of(1, 0, 3, 0, 2, 0))).toBeNull();
    expect(inOrder(Float64Array.of(1, 0, NaN, 0, 2, 0))).toBeNull();
  });
});

describe("a picture of many points", () => {
  const pairs = line(100_000, (index) => index);
  const option = { xAxis: { type: "value" }, dataZoom: [{ type: "inside" }], series: [{ type: "line", name: "n", data: pairs, sampling: "minmax" }] };

  it("i7: draws what is looked at, on the axis of all", () => {
    const many = ManyPoints.of(option)!;
    const drawn = many.optionOf(option, 600) as { xAxis: object; series: { name: string; data: Float64Array }[] };
    expect(drawn.xAxis).toMatchObject({ type: "value", min: 0, max: 99_999 });
    expect(drawn.series[0]!.name).toBe("n");
    expect(numOf(drawn.series[0]!.data)).toBeLessThan(1_300);
    const [part] = many.seriesOf(50, 50.1, 600) as { data: Float64Array }[];
    expect([...part!.data].filter((_, index) => index % 2 === 0)).toEqual(Array.from({ length: 102 }, (_, index) => 49_999 + index));
  });

  it("leaves few points, points without an order and other pictures as they are", () => {
    expect(ManyPoints.of({ series: [{ type: "line", data: line(10, () => 0) }] })).toBeNull();
    expect(ManyPoints.of({ series: [{ type: "scatter", data: pairs }] })).toBeNull();
    expect(ManyPoints.of({ series: [{ type: "line", data: line(10_000, () => 0).map((value, index) => (index % 4 === 0 ? -value : value)) }] })).toBeNull();
    expect(ManyPoints.of({ series: [{ type: "line", data: new Float64Array(20_000) }] })).toBeNull();
    expect(ManyPoints.of({})).toBeNull();
  });
});
