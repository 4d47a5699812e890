/** Versions of a model, and the endpoints that serve them. */

import { useQuery, type UseQueryResult } from "@tanstack/react-query";

import { api, dataOf, type Schemas } from "../../api/client";

export type ModelVersion = Schemas["ModelVersion"];
export type Endpoint = Schemas["EndpointDetail"];

const PAGE = 100;
/** So many of the newest are drawn. */
const MAX_VERSIONS = 500;

/** The newest of them, the oldest first. */
export function useVersions(model: string): UseQueryResult<ModelVersion[]> {
  return useQuery({
    queryKey: ["model", model, "versions", "all"],
    queryFn: async ({ signal }) => {
      const found: ModelVersion[] = [];
      let cursor: string | undefined;
      do {
        const page = await dataOf(api.GET("/v1/models/{model}/versions", { params: { path: { model }, query: { cursor, limit: PAGE } }, signal }));
        found.push(...page.items);
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined && found.length < MAX_VERSIONS);
      return found.reverse();
    },
    refetchInterval: 15_000,
  });
}

export function useEndpoints(): UseQueryResult<Endpoint[]> {
  return useQuery({
    queryKey: ["endpoints", "all"],
    queryFn: async () => (await dataOf(api.GET("/v1/endpoints", { params: { query: { limit: PAGE } } }))).items,
  });
}

/** Metrics without those of the validation channel that repeat one. */
export function metricsOf(version: Pick<ModelVersion, "metrics">): [string, number][] {
  return Object.entries(version.metrics).filter(([name, value]) => !name.startsWith("validation/") || version.metrics[name.replace("validation/", "")] !== value);
}
