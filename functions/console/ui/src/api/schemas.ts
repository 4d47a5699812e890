/** JSON Schemas of requests, from the API's own document: what a form is drawn from. */

import { useQuery, type UseQueryResult } from "@tanstack/react-query";

import type { JsonSchema } from "../components/SchemaForm";
import { API_ROOT } from "./client";
import { problemOf } from "./problem";

type Definitions = Record<string, JsonSchema>;

/** By name, with their references among each other in the form of `SchemaForm`. */
export function useSchemas(): UseQueryResult<Definitions> {
  return useQuery({
    queryKey: ["openapi"],
    staleTime: Infinity,
    queryFn: async () => {
      const answer = await fetch(`${API_ROOT}/v1/openapi.json`);
      if (!answer.ok) throw await problemOf(answer);
      const text = (await answer.text()).replaceAll("#/components/schemas/", "#/$defs/");
      return (JSON.parse(text) as { components: { schemas: Definitions } }).components.schemas;
    },
  });
}

/** One of them, to draw; without the fields that something else sets. */
export function schemaOf(definitions: Definitions, name: string, without: readonly string[] = []): JsonSchema {
  const found = definitions[name] ?? {};
  const properties = Object.fromEntries(Object.entries(found.properties ?? {}).filter(([each]) => !without.includes(each)));
  return { ...found, properties, $defs: definitions };
}
