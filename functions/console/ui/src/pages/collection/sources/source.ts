/** What the pages of one source read. */

import { useQuery } from "@tanstack/react-query";

import { api, dataOf, type Schemas } from "../../../api/client";

export type Source = Schemas["Source"];
export type Verb = Source["verb"];

export const VERBS: readonly Verb[] = ["see", "read", "run", "edit"];

/** Whether the caller may do this with the source: the API says what they may do most. */
export function maySource(source: Source, verb: Verb): boolean {
  return VERBS.indexOf(source.verb) >= VERBS.indexOf(verb);
}

export function useSource(name: string) {
  return useQuery({
    queryKey: ["sources", "one", name],
    queryFn: () => dataOf(api.GET("/v1/sources/{source}", { params: { path: { source: name } } })),
    refetchInterval: ({ state }) => (state.data?.running_job_id == null ? 5_000 : 1_500),
  });
}
