/** What differs between jobs. */

import { compareTables, type Difference, flatten } from "../../components/differences";
import { type Job, secondsOf } from "./jobs";

/** Results first, then what was asked for. */
export function differencesOf(jobs: readonly Job[]): Difference[] {
  return compareTables(jobs.map(tableOf));
}

function tableOf(job: Job): Map<string, unknown> {
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
}
