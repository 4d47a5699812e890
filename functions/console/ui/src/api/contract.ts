/** Contracts of the API that forms are drawn from, taken from its document by `npm run types` (forms.mjs). */

import type { JsonSchema } from "../components/SchemaForm";
import forms from "./forms.json";

const SCHEMAS = forms as unknown as Record<string, JsonSchema>;

/** With all that it refers to. */
export function contract(name: keyof typeof forms): JsonSchema {
  return { ...SCHEMAS[name], $defs: SCHEMAS };
}
