import { expect, test, vi } from "vitest";

import type { Signature } from "./signature";

vi.stubGlobal("document", { baseURI: "https://a.example/dev/console/" });
const { python, samplesOf, shell } = await import("./samples");

const signature: Signature = {
  kind: "table",
  task: "binary",
  target: "y",
  outputs: [],
  inputs: [{ name: "o", datatype: "BYTES", shape: [-1, 1], column: "o'clock", column_type: "string", typical: "$(rm -rf /)'; x" }],
};
const endpoint = { name: "e", predict_path: "/v1/endpoints/e/predict", infer_path: "/v2/models/e/infer", signature };

test("values of users stay values in each language", () => {
  expect(shell("a'b")).toBe(`'a'\\''b'`);
  expect(python({ a: [true, null, 'q"'] })).toBe(`{"a": [True, None, "q\\""]}`);
});

test("there is a sample for each language, at the address of this installation", () => {
  const [curl, py, js] = samplesOf(endpoint);
  expect(curl!.text).toContain("'https://a.example/dev/v1/endpoints/e/predict'");
  expect(curl!.text).toContain(`'{"rows":[{"o'\\''clock":"$(rm -rf /)'\\''; x"}]}'`);
  expect(py!.text).toContain(`client.endpoints.predict("e", [{"o'clock": "$(rm -rf /)'; x"}])`);
  expect(js!.text).toContain('"https://a.example/dev/v1/endpoints/e/predict"');
});

test("a model of tensors is asked by the protocol, and an image goes as it is", () => {
  const tensors = samplesOf({ ...endpoint, signature: { ...signature, inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }] } });
  expect(tensors.every(({ text }) => text.includes("/v2/models/e/infer"))).toBe(true);
  const image = samplesOf({ ...endpoint, signature: { ...signature, kind: "images" } });
  expect(image[0]!.text).toContain("--data-binary @image.png");
});
