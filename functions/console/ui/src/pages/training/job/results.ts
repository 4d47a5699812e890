/** What a job left in JSON, read by its presigned links. */

import { useQuery, type UseQueryResult } from "@tanstack/react-query";

import { api, dataOf, type Schemas } from "../../../api/client";
import { isMoving } from "../../../components/Status";
import { readJson } from "../../../components/files";
import type { Job } from "../jobs";

/** The links live for a quarter of an hour. */
const LINKS_MS = 10 * 60_000;

export function useArtifacts(job: Job): UseQueryResult<Schemas["ArtifactLink"][]> {
  return useQuery({
    queryKey: ["job", job.id, "artifacts", job.status],
    queryFn: async () => (await dataOf(api.GET("/v1/jobs/{job}/artifacts", { params: { path: { job: job.id } } }))).artifacts,
    staleTime: isMoving(job.status) ? 2_000 : LINKS_MS,
    refetchInterval: isMoving(job.status) ? 5_000 : LINKS_MS,
  });
}

/** One of its artifacts as JSON; undefined where it left none of that name. */
export function useResult<T>(job: Job, name: string): UseQueryResult<T | null> {
  const artifacts = useArtifacts(job);
  const url = artifacts.data?.find((each) => each.name === name)?.url;
  return useQuery({
    queryKey: ["job", job.id, "result", name, job.status],
    queryFn: () => (url === undefined ? null : readJson<T>(url)),
    enabled: artifacts.isSuccess,
    staleTime: Infinity,
  });
}
