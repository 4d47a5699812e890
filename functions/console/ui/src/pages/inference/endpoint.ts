/** An endpoint, as the pages read it, and words for its parts. */

import { queryOptions, useQuery } from "@tanstack/react-query";

import { api, dataOf, type Schemas } from "../../api/client";
import { isMoving } from "../../components/Status";

export type Endpoint = Schemas["EndpointDetail"];
type Served = Schemas["ServedModel"];
type Engine = Schemas["Engine"];

export function endpointQuery(endpoint: string) {
  return queryOptions({
    queryKey: ["endpoints", endpoint],
    queryFn: () => dataOf(api.GET("/v1/endpoints/{endpoint}", { params: { path: { endpoint } } })),
    refetchInterval: ({ state }) => (state.data !== undefined && isMoving(state.data.status) ? 1_000 : 5_000),
  });
}

export function useEndpoint(endpoint: string) {
  return useQuery(endpointQuery(endpoint));
}

/** `adult@3` */
export function refOf(model: Served | null | undefined): string {
  return model == null ? "–" : `${model.model_name}@${model.number}`;
}

/** `container, 2 × ml.c5.large` */
export function engineOf(engine: Engine | null | undefined): string {
  if (engine == null) return "–";
  const machines = engine.instance_type == null ? "" : `, ${engine.instances ?? 1} × ${engine.instance_type}`;
  return `${engine.kind}${machines}`;
}
