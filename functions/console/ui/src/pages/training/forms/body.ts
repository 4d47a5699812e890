/** The body of POST /v1/jobs out of a form, and what the API says of it. */

import type { Schemas } from "../../../api/client";
import { ApiProblem } from "../../../api/problem";

export type Values = Record<string, unknown>;

export interface Filled {
  spec: Values;
  compute: Values;
  /** As typed; null: the API's default. */
  minutes: number | null;
  maxCostUsd: number | null;
}

/** NOTE: what was emptied is left out, so that the API's default holds. */
export function withoutEmpty(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== ""));
}

export function bodyOf(kind: Schemas["JobKind"], form: Filled): Schemas["JobCreate"] {
  return {
    spec: { ...withoutEmpty(form.spec), kind },
    ...withoutEmpty({
      compute: Object.keys(withoutEmpty(form.compute)).length > 0 ? withoutEmpty(form.compute) : undefined,
      max_seconds: form.minutes === null ? undefined : Math.round(form.minutes * 60),
      max_cost_usd: form.maxCostUsd,
    }),
  } as Schemas["JobCreate"];
}

/** Of a request that was refused: by field, such as `target`, `hyperparameters.max_depth` or `compute.vcpus`. */
export function errorsOf(error: unknown): Record<string, string> {
  if (!(error instanceof ApiProblem)) return {};
  const found: Record<string, string> = {};
  for (const { location, message } of error.errors) {
    // NOTE: Pydantic puts the kind of the spec in between: `body.spec.train.target`.
    const name = (location ?? "").replace(/^body\./, "").replace(/^spec\.((train|search|autotrain|compress|fuse|decompose|prepare|import)\.)?/, "");
    if (name !== "") found[name] ??= message;
  }
  return found;
}
