/** What differs between jobs. */

import type { Job } from "./jobs";
import { secondsOf } from "./jobs";

export interface Difference {
  /** Such as `metrics.roc_auc` or `hyperparameters.max_depth`. */
  name: string;
  /** One for each job; undefined where it has none. */
  values: unknown[];
  differs: boolean;
}

/** Results first, then what was asked for. */
export function differencesOf(jobs: readonly Job[]): Difference[] {
  const tables = jobs.map((job) => {
    const { kind, ...spec } = job.spec as Record<string, unknown>;
    return new Map<string, unknown>([
      ["status", job.status],
      ...flatten("metrics", job.metrics),
      ["seconds", secondsOf(job, Date.parse(job.updated_at))],
      ["kind", kind ?? job.kind],
      ...Object.entries(job.channels).map(([name, pin]): [string, unknown] => [`data.${name}`, `${pin.dataset_name}@${pin.number}`]),
      ...flatten("", spec),
      ...flatten("compute", job.compute),
      ["max_seconds", job.max_seconds],
    ]);
  });
  const names = [...new Set(tables.flatMap((table) => [...table.keys()]))];
  return names.map((name) => {
    const values = tables.map((table) => table.get(name) ?? undefined);
    return { name, values, differs: new Set(values.map((value) => JSON.stringify(value))).size > 1 };
  });
}

/** Nested values by their paths; lists as they are. */
function flatten(path: string, value: unknown): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, each]) => flatten(path === "" ? name : `${path}.${name}`, each));
}
