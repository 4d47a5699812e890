/** A form for one row, from a model's signature. */

import type { Schemas } from "../../api/client";
import type { JsonSchema } from "../../components/SchemaForm";

export type Signature = Schemas["Signature"];
type Input = Signature["inputs"][number];
export type Row = Record<string, unknown>;

/** Whether the model takes rows with columns, so that a form can be drawn. Others take tensors by the protocol. */
export function takesRows(signature: Signature): boolean {
  return signature.inputs.every((input) => input.column != null);
}

export function rowSchema(signature: Signature): JsonSchema {
  return {
    type: "object",
    properties: Object.fromEntries(signature.inputs.filter((input) => input.column != null).map((input) => [input.column!, fieldOf(input)])),
  };
}

function fieldOf(input: Input): JsonSchema {
  const field = { title: input.column ?? input.name, ...(describe(input) ?? {}) };
  if (input.categories != null && input.column_type !== "boolean") return { ...field, ...nullable({ enum: input.categories }) };
  switch (input.column_type) {
    case "integer":
    case "number":
      return { ...field, ...nullable({ type: input.column_type }) };
    case "boolean":
      return { ...field, type: "boolean" };
    case "series":
      return { ...field, type: "array", items: { type: "number" } };
    default:
      return { ...field, ...nullable({ type: "string" }) };
  }
}

/** A model can do without any of them. */
function nullable(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: "null" }] };
}

function describe(input: Input): JsonSchema | undefined {
  if (input.minimum == null || input.maximum == null) return undefined;
  return { description: `${short(input.minimum)} – ${short(input.maximum)}` };
}

function short(value: number): string {
  return String(Number(value.toPrecision(5)));
}

/** What is most common in the training data: what an explanation compares with, too. */
export function typicalRow(signature: Signature): Row {
  const columns = signature.inputs.filter((input) => input.column != null);
  return Object.fromEntries(columns.map((input) => [input.column!, typicalOf(input)]));
}

function typicalOf(input: Input): unknown {
  if (input.typical == null) return null;
  if (input.column_type === "boolean") return input.typical === 1 || input.typical === "true" || input.typical === "True";
  if (typeof input.typical !== "number") return input.typical;
  return input.column_type === "integer" ? Math.round(input.typical) : Number(input.typical.toPrecision(6));
}

/** The same by the Open Inference Protocol: for models that take tensors. */
export function tensorRequest(signature: Signature): object {
  return {
    inputs: signature.inputs.map((input) => {
      const shape = input.shape.map((size) => (size < 0 ? 1 : size));
      const length = shape.reduce((product, size) => product * size, 1);
      const one = input.datatype === "BYTES" ? "" : input.datatype === "BOOL" ? false : 0;
      return { name: input.name, datatype: input.datatype, shape, data: Array.from({ length: Math.min(length, 4096) }, () => one) };
    }),
  };
}
