/** The tables that a query may name, and the columns of those that it does name. */

import { useQueries, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { api, dataOf } from "../../../api/client";

const MAX_TABLES = 100;

export function useTables(sql: string): Record<string, string[]> {
  const datasets = useQuery({
    queryKey: ["datasets", "tables"],
    queryFn: async () => (await dataOf(api.GET("/v1/datasets", { params: { query: { limit: MAX_TABLES } } }))).items,
    staleTime: 30_000,
  });
  const known = datasets.data ?? [];
  const words = useMemo(() => new Set(sql.toLowerCase().match(/[a-z0-9_-]+/g)), [sql]);
  const named = known.filter((each) => each.latest_version != null && words.has(each.name));
  const columns = useQueries({
    queries: named.map(({ name, latest_version: number }) => ({
      queryKey: ["datasets", name, "versions", number],
      queryFn: () => dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}", { params: { path: { dataset: name, number: number as number } } })),
      staleTime: 60_000,
    })),
    combine: (results) => results.map((result) => result.data?.data_schema?.columns.map((column) => column.name) ?? []),
  });
  const names = known.filter((each) => each.latest_version != null).map((each) => each.name);
  // By what they are: the editor is told anew only where something has changed.
  const tables = JSON.stringify(Object.fromEntries(names.map((name) => [name, columns[named.findIndex((each) => each.name === name)] ?? []])));
  return useMemo(() => JSON.parse(tables) as Record<string, string[]>, [tables]);
}
