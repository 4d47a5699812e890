import { expect, test } from "vitest";

import { rowSchema, type Signature, takesRows, tensorRequest, typicalRow } from "./signature";

const input = { datatype: "FP32", shape: [-1, 1] } as const;
const titanic: Signature = {
  kind: "table",
  task: "binary",
  target: "Survived",
  outputs: [],
  inputs: [
    { ...input, name: "Age", shape: [-1, 1], column: "Age", column_type: "number", minimum: 0.41999998688697815, maximum: 80, typical: 28 },
    { ...input, name: "Pclass", shape: [-1, 1], column: "Pclass", column_type: "integer", typical: 2.6 },
    { name: "Sex", datatype: "BYTES", shape: [-1, 1], column: "Sex", column_type: "string", categories: ["male", "female"], typical: "male" },
    { ...input, name: "Alone", shape: [-1, 1], column: "Alone", column_type: "boolean", typical: 1 },
    { ...input, name: "Weeks", shape: [-1, 4], column: "Weeks", column_type: "series", typical: null },
  ],
};

test("each column becomes a field of its type", () => {
  const properties = rowSchema(titanic).properties!;
  expect(properties.Age).toEqual({ title: "Age", description: "0.42 – 80", anyOf: [{ type: "number" }, { type: "null" }] });
  expect(properties.Sex).toEqual({ title: "Sex", anyOf: [{ enum: ["male", "female"] }, { type: "null" }] });
  expect(properties.Alone).toEqual({ title: "Alone", type: "boolean" });
  expect(properties.Weeks).toEqual({ title: "Weeks", type: "array", items: { type: "number" } });
});

test("a form begins with what is typical", () => {
  expect(typicalRow(titanic)).toEqual({ Age: 28, Pclass: 3, Sex: "male", Alone: true, Weeks: null });
});

test("a model without columns is asked with tensors", () => {
  const raw: Signature = { ...titanic, inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3] }] };
  expect(takesRows(titanic)).toBe(true);
  expect(takesRows(raw)).toBe(false);
  expect(tensorRequest(raw)).toEqual({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 3], data: [0, 0, 0] }] });
});
