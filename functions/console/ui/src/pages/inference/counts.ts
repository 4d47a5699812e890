/** Figures of what a version has done: the same reading of the buckets as the API's own. */

import type { Schemas } from "../../api/client";

type Counts = Partial<Schemas["Counts"]>;

const R10 = [1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8];
/** Upper bounds of the latency buckets in milliseconds; the last bucket, beyond them, has none. */
export const BOUNDS_MS = [-1, 0, 1, 2, 3, 4].flatMap((power) => R10.map((step) => Number((step * 10 ** power).toFixed(3))));

/** The time that this share of the answered requests kept to, interpolated within its bucket. */
export function percentileMs(counts: Counts | null | undefined, share: number): number | null {
  const latencies = counts?.latencies ?? [];
  const total = latencies.reduce((sum, each) => sum + each, 0);
  if (total === 0) return null;
  const rank = share * total;
  let before = 0;
  for (const [index, count] of latencies.entries()) {
    if (count > 0 && before + count >= rank) {
      const high = BOUNDS_MS[index];
      if (high === undefined) break;
      const low = BOUNDS_MS[index - 1] ?? 0;
      return low + ((high - low) * (rank - before)) / count;
    }
    before += count;
  }
  return BOUNDS_MS.at(-1)!;
}

export function meanMs(counts: Counts | null | undefined): number | null {
  const answered = (counts?.latencies ?? []).reduce((sum, each) => sum + each, 0);
  return answered === 0 ? null : (counts?.microseconds ?? 0) / answered / 1000;
}

/** Of the requests that were right. */
export function errorRate(counts: Counts | null | undefined): number | null {
  const valid = (counts?.requests ?? 0) - (counts?.refused ?? 0);
  return valid > 0 ? (counts?.errors ?? 0) / valid : null;
}
