/** The names of a request's fields in the user's language. */

import type { TFunction } from "i18next";

import type { JsonSchema } from "../../../components/SchemaForm";

/** Of parts that have no word of their own, such as the steps of an augmentation, the schema's. */
export function labelOf(t: TFunction<"training">): (name: string, schema: JsonSchema) => string {
  return (name, schema) => t(`fields.${name.replaceAll(".", "_")}`, { defaultValue: schema.title ?? name });
}
