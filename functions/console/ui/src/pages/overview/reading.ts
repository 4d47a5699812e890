/** What the overview reads: a little of each centre, again every few seconds. */

import { useQuery } from "@tanstack/react-query";

import { api, dataOf, type Schemas } from "../../api/client";
import type { JobRow } from "./attention";

const EVERY_MS = 5_000;
const MOVING = ["SUBMITTED", "QUEUED", "STARTING", "RUNNING", "STOPPING"] as const;
const PAGE = { limit: 100 };

async function readJobs(status: Schemas["Job"]["status"], limit: number): Promise<JobRow[]> {
  return (await dataOf(api.GET("/v1/jobs", { params: { query: { status, limit } } }))).items;
}

export function useRunningJobs() {
  return useQuery({
    queryKey: ["overview", "running"],
    queryFn: async () => (await Promise.all(MOVING.map((status) => readJobs(status, 50)))).flat().sort((a, b) => b.created_at.localeCompare(a.created_at)),
    refetchInterval: 2_000,
  });
}

export function useCollection() {
  return useQuery({
    queryKey: ["overview", "collection"],
    queryFn: async () => {
      const [sources, datasets] = await Promise.all([
        dataOf(api.GET("/v1/sources", { params: { query: PAGE } })),
        dataOf(api.GET("/v1/datasets", { params: { query: PAGE } })),
      ]);
      // A version that is newer than the latest ready one is being made, or was rejected.
      const behind = datasets.items.filter((each) => each.last_number > (each.latest_version ?? 0)).slice(0, 10);
      const versions = await Promise.all(
        behind.map((each) => dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}", { params: { path: { dataset: each.name, number: each.last_number } } }))),
      );
      return { sources: sources.items, datasets: datasets.items, hasMoreDatasets: datasets.next_cursor != null, versions: versions as Schemas["DatasetVersion"][] };
    },
    refetchInterval: EVERY_MS,
  });
}

export function useTraining() {
  return useQuery({
    queryKey: ["overview", "training"],
    queryFn: async () => {
      const [failedJobs, studies, triggers, models] = await Promise.all([
        readJobs("FAILED", 20),
        dataOf(api.GET("/v1/studies", { params: { query: PAGE } })),
        dataOf(api.GET("/v1/triggers", { params: { query: PAGE } })),
        dataOf(api.GET("/v1/models", { params: { query: PAGE } })),
      ]);
      return { failedJobs, numStudies: studies.items.length, triggers: triggers.items, numModels: models.items.length };
    },
    refetchInterval: EVERY_MS,
  });
}

export function useInference() {
  return useQuery({
    queryKey: ["overview", "inference"],
    queryFn: async () => (await dataOf(api.GET("/v1/endpoints", { params: { query: PAGE } }))).items as Schemas["EndpointDetail"][],
    refetchInterval: EVERY_MS,
  });
}
