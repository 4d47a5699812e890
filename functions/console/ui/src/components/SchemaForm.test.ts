import { expect, it } from "vitest";

import { resolve } from "./SchemaForm";

it("sees through references and what may be null", () => {
  const root = { $defs: { Level: { enum: ["debug", "info"], type: "string" } } };
  const found = resolve({ anyOf: [{ $ref: "#/$defs/Level" }, { type: "null" }], default: null, title: "Log level" }, root);
  expect(found).toMatchObject({ enum: ["debug", "info"], isNullable: true, title: "Log level", default: null });
});

it("leaves a choice of several kinds alone", () => {
  const schema = { anyOf: [{ type: "string" }, { type: "integer" }] };
  expect(resolve(schema, {})).toEqual(schema);
});
