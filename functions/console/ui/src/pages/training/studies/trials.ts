/** A study's trials, read on as they come: pages whose trials have all ended are not read again. */

import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";

import { api, dataOf } from "../../../api/client";
import { type Page, PAGE, settledPages, type Trial } from "./pages";

const EVERY_MS = 2_000;

export function useTrials(study: string, isMoving: boolean): UseQueryResult<Trial[]> {
  const queries = useQueryClient();
  const queryKey = ["study", study, "trials"];
  return useQuery({
    queryKey,
    queryFn: async ({ signal }) => {
      const known = queries.getQueryData<Page[]>(queryKey) ?? [];
      const pages = known.slice(0, settledPages(known));
      let cursor = known[pages.length]?.cursor;
      do {
        const page = await dataOf(api.GET("/v1/studies/{study}/trials", { params: { path: { study }, query: { cursor, limit: PAGE } }, signal }));
        pages.push({ cursor, trials: page.items });
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      return pages;
    },
    select: flatten,
    refetchInterval: isMoving ? EVERY_MS : false,
    structuralSharing: false,
  });
}

function flatten(pages: Page[]): Trial[] {
  return pages.flatMap((page) => page.trials);
}
