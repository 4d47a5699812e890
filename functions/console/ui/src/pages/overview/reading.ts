/** What the overview reads: a little of each centre, again every few seconds. */

import { useQuery } from "@tanstack/react-query";

import { api, dataOf, type Schemas } from "../../api/client";
import type { JobRow } from "./attention";

const EVERY_MS = 5_000;
const PAGE = { limit: 100 };

/** NOTE: what is read waits for what is read before it: requests at once begin with as many cold starts. */
export function useJobs() {
  return useQuery({
    queryKey: ["overview", "jobs"],
    queryFn: async () => {
      const newest: JobRow[] = (await dataOf(api.GET("/v1/jobs", { params: { query: PAGE } }))).items;
      // A job may run for days, while others come and go.
      const running: JobRow[] = (await dataOf(api.GET("/v1/jobs", { params: { query: { ...PAGE, status: "RUNNING" } } }))).items;
      const all = new Map([...running, ...newest].map((job) => [job.id, job]));
      return [...all.values()].sort((a, b) => b.created_at.localeCompare(a.created_at));
    },
    refetchInterval: 2_000,
  });
}

export function useCollection(after: { isFetched: boolean }) {
  return useQuery({
    enabled: after.isFetched,
    queryKey: ["overview", "collection"],
    queryFn: async () => {
      const datasets = await dataOf(api.GET("/v1/datasets", { params: { query: PAGE } }));
      const sources = await dataOf(api.GET("/v1/sources", { params: { query: PAGE } }));
      // A version that is newer than the latest ready one is being made, or was rejected.
      const behind = datasets.items.filter((each) => each.last_number > (each.latest_version ?? 0)).slice(0, 10);
      const versions: Schemas["DatasetVersion"][] = [];
      for (const { name, last_number: number } of behind) {
        versions.push(await dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}", { params: { path: { dataset: name, number } } })));
      }
      return { sources: sources.items, datasets: datasets.items, hasMoreDatasets: datasets.next_cursor != null, versions };
    },
    refetchInterval: EVERY_MS,
  });
}

export function useTraining(after: { isFetched: boolean }) {
  return useQuery({
    enabled: after.isFetched,
    queryKey: ["overview", "training"],
    queryFn: async () => {
      const models = await dataOf(api.GET("/v1/models", { params: { query: PAGE } }));
      const studies = await dataOf(api.GET("/v1/studies", { params: { query: PAGE } }));
      const triggers = await dataOf(api.GET("/v1/triggers", { params: { query: PAGE } }));
      return { numStudies: studies.items.length, triggers: triggers.items, numModels: models.items.length };
    },
    refetchInterval: EVERY_MS,
  });
}

export function useInference(after: { isFetched: boolean }) {
  return useQuery({
    enabled: after.isFetched,
    queryKey: ["overview", "inference"],
    queryFn: async () => (await dataOf(api.GET("/v1/endpoints", { params: { query: PAGE } }))).items as Schemas["EndpointDetail"][],
    refetchInterval: EVERY_MS,
  });
}

export function useSystemStatus(after: { isFetched: boolean }) {
  return useQuery({
    enabled: after.isFetched,
    queryKey: ["overview", "system"],
    queryFn: () => dataOf(api.GET("/v1/system/status")),
    refetchInterval: 15_000,
  });
}

/** NOTE: they are counted when they are asked for, so they are asked for seldom. */
export function useSpending(after: { isFetched: boolean }) {
  return useQuery({
    enabled: after.isFetched,
    queryKey: ["overview", "spending"],
    queryFn: async () => {
      const today = new Date().toISOString().slice(0, 10);
      const costs = await dataOf(api.GET("/v1/costs", { params: { query: { since: today, until: today, limit: 1 } } }));
      const budget = await dataOf(api.GET("/v1/budget"));
      return { todayUsd: costs.usd, isEstimate: Object.values(costs.is_estimate).some(Boolean), budget };
    },
    refetchInterval: 60_000,
  });
}
