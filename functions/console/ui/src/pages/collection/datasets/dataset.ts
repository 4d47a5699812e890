/** What the pages of one dataset read. */

import { useQuery } from "@tanstack/react-query";

import { api, dataOf } from "../../../api/client";
import { isMoving } from "../../../components/Status";

export function useDataset(name: string) {
  return useQuery({
    queryKey: ["datasets", name],
    queryFn: () => dataOf(api.GET("/v1/datasets/{dataset}", { params: { path: { dataset: name } } })),
    refetchInterval: 5_000,
  });
}

/** The newest 50, read again while one is being made. */
export function useVersions(name: string) {
  return useQuery({
    queryKey: ["datasets", name, "versions"],
    queryFn: () => dataOf(api.GET("/v1/datasets/{dataset}/versions", { params: { path: { dataset: name }, query: { limit: 50 } } })),
    refetchInterval: ({ state }) => (state.data?.items.some((each) => isMoving(each.status)) ? 1_000 : 5_000),
  });
}

/** One with schema and profile. */
export function useVersion(name: string, number: number) {
  return useQuery({
    queryKey: ["datasets", name, "versions", number],
    queryFn: () => dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}", { params: { path: { dataset: name, number } } })),
    refetchInterval: ({ state }) => (state.data !== undefined && isMoving(state.data.status) ? 1_000 : false),
  });
}
