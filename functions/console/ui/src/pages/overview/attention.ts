/** What somebody should look at, from what the API tells of each centre. */

import type { Schemas } from "../../api/client";

export interface Attention {
  /** Names it among the others. */
  id: string;
  centre: "collection" | "training" | "inference" | "management";
  status: string;
  name: string;
  /** The key of a text, where it is a part of the platform and nobody named it. */
  nameKey?: string;
  href: string;
  reason: string | null;
  at: string | null;
}

/** NOTE: without specs: lists of jobs are typed as openapi-fetch answers them. */
export type JobRow = Omit<Schemas["Job"], "spec">;

interface Found {
  sources: readonly Schemas["Source"][];
  versions: readonly Schemas["DatasetVersion"][];
  triggers: readonly Pick<Schemas["Trigger"], "id" | "name" | "status" | "status_reason" | "updated_at">[];
  failedJobs: readonly JobRow[];
  endpoints: readonly Schemas["EndpointDetail"][];
  centres: readonly Schemas["CentreStatus"][];
  budget: Pick<Schemas["CostsBudget"], "status" | "percent" | "updated_at"> | null;
}

const FAILED_FOR_MS = 24 * 3_600_000;

/** The newest first. Jobs that failed are looked at for a day. */
export function attentionOf({ sources, versions, triggers, failedJobs, endpoints, centres, budget }: Found, now: number): Attention[] {
  const all: Attention[] = [
    ...sources
      .filter((each) => each.status === "DEGRADED" || each.status === "AUTH_FAILED")
      .map((each) => ({ id: each.id, centre: "collection" as const, status: each.status, name: each.name, href: `/collection/sources/${each.name}`, reason: each.status_reason ?? null, at: each.last_run_at ?? null })),
    ...versions
      .filter((each) => each.status === "REJECTED")
      .map((each) => ({ id: each.id, centre: "collection" as const, status: each.status, name: `${each.dataset_name}@${each.number}`, href: `/collection/datasets/${each.dataset_name}?version=${each.number}`, reason: each.status_reason ?? null, at: each.updated_at })),
    ...triggers
      .filter((each) => each.status === "PAUSED" && each.status_reason != null)
      .map((each) => ({ id: each.id, centre: "training" as const, status: each.status, name: each.name, href: `/collection/triggers/${each.name}`, reason: each.status_reason ?? null, at: each.updated_at })),
    ...failedJobs
      .filter((each) => now - Date.parse(each.ended_at ?? each.updated_at) < FAILED_FOR_MS)
      .map((each) => ({ id: each.id, centre: "training" as const, status: each.status, name: `${each.kind} ${each.id}`, href: `/training/jobs/${each.id}`, reason: each.failure?.cause ?? each.status_reason ?? null, at: each.ended_at ?? each.updated_at })),
    ...endpoints
      .filter((each) => each.status === "FAILED" || each.alarm === "ALARM")
      .map((each) => ({
        id: each.id,
        centre: "inference" as const,
        status: each.status === "FAILED" ? "FAILED" : "ALARM",
        name: each.name,
        href: `/inference/endpoints/${each.name}`,
        reason: each.status === "FAILED" ? (each.status_reason ?? null) : (each.alarm_reasons ?? []).join(" "),
        at: each.updated_at,
      })),
    ...centres
      .filter((each) => each.health !== "OK" && each.health !== "STARTING")
      .map((each) => ({ id: each.name, centre: each.name, status: each.health, name: each.name, nameKey: `common:area.${each.name}`, href: "/management/system", reason: (each.reasons ?? []).join(" "), at: null })),
    ...(budget !== null && (budget.status === "WARNED" || budget.status === "SPENT")
      ? [{ id: "budget", centre: "management" as const, status: budget.status, name: "budget", nameKey: "budget", href: "/management/costs", reason: `${Math.round(budget.percent ?? 0)} %`, at: budget.updated_at }]
      : []),
  ];
  return all.sort((a, b) => (b.at ?? "").localeCompare(a.at ?? ""));
}
