/** The API's own document, for forms that are drawn from it. */

import { queryOptions } from "@tanstack/react-query";

import type { JsonSchema } from "../components/SchemaForm";
import { api, dataOf } from "./client";

/** What the document says of a contract, with all that it refers to. Read once. */
export function schemaQuery(name: string) {
  return queryOptions({
    queryKey: ["openapi"],
    queryFn: async () => {
      const document = (await dataOf(api.GET("/v1/openapi.json"))) as unknown as { components: { schemas: Record<string, JsonSchema> } };
      return document.components.schemas;
    },
    staleTime: Infinity,
    select: (schemas): JsonSchema => ({ ...schemas[name], $defs: schemas }),
  });
}
