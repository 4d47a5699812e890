/** `node client.js URL KEY MODEL`: asks by types that are made from the OpenAPI document, and prints what it got. */

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

type Tensor = components["schemas"]["InferenceTensor"];

const [url, key, model] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });

function given<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const made = await client.POST("/v1/datasets", { body: { name: "generated-types" } });
const listed = given(await client.GET("/v1/datasets"));
const nobody = await client.GET("/v1/datasets/{dataset}", { params: { path: { dataset: "nobody" } } });
const endpoint = given(await client.GET("/v1/endpoints/{endpoint}", { params: { path: { endpoint: model } } }));
const values: Record<string, unknown> = { FP32: 1, FP64: 0, BYTES: "x" };
const inputs: Tensor[] = (endpoint.signature?.inputs ?? []).map(({ name, datatype }) => ({
  name,
  datatype,
  shape: [1, 1],
  data: [values[datatype]],
}));
const answered = given(
  await client.POST("/v2/models/{model}/infer", { params: { path: { model } }, body: { inputs } }),
);
if (!("outputs" in answered)) throw new Error("it is answered later, which nobody asked for");
console.log(
  JSON.stringify({
    created: [made.response.status, given(made).name],
    listed: listed.items.map((each) => each.name),
    problem: [nobody.error?.status, nobody.error?.code],
    outputs: Object.fromEntries(answered.outputs.map((each) => [each.name, each.data])),
  }),
);
