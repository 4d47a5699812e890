import { expect, test } from "vitest";

import { BOUNDS_MS, errorRate, meanMs, percentileMs } from "./counts";

function latencies(buckets: Record<number, number>): number[] {
  return Array.from({ length: BOUNDS_MS.length + 1 }, (_, index) => buckets[index] ?? 0);
}

test("the bounds are those of the API", () => {
  expect(BOUNDS_MS).toHaveLength(60);
  expect([BOUNDS_MS[0], BOUNDS_MS[10], BOUNDS_MS.at(-1)]).toEqual([0.1, 1, 80_000]);
});

test("a percentile is interpolated within its bucket", () => {
  // Ten requests between 1 and 1.25 ms.
  expect(percentileMs({ latencies: latencies({ 11: 10 }) }, 0.5)).toBeCloseTo(1.125);
  expect(percentileMs({ latencies: latencies({ 11: 90, 20: 10 }) }, 0.95)).toBeCloseTo(9);
});

test("beyond the last bound it is the last bound, and without requests it is nothing", () => {
  expect(percentileMs({ latencies: latencies({ 60: 1 }) }, 0.95)).toBe(80_000);
  expect(percentileMs({ latencies: latencies({}) }, 0.95)).toBeNull();
  expect(percentileMs(undefined, 0.95)).toBeNull();
});

test("means and rates leave out what cannot be counted", () => {
  expect(meanMs({ latencies: latencies({ 11: 2 }), microseconds: 3_000 })).toBe(1.5);
  expect(meanMs({})).toBeNull();
  expect(errorRate({ requests: 12, refused: 2, errors: 1 })).toBe(0.1);
  expect(errorRate({ requests: 2, refused: 2 })).toBeNull();
});
