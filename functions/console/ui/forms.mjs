// Those contracts of the OpenAPI document that forms are drawn from, with all that they refer to: the whole is large.
import { readFileSync, writeFileSync } from "node:fs";

const FORMS = [
  "Compute",
  "Recipe",
  "TrainSpec",
  "SearchSpec",
  "AutotrainSpec",
  "CompressSpec",
  "FuseSpec",
  "DecomposeSpec",
  "PrepareSpec",
  "ImportSpec",
  "EndpointSettings",
  "AlarmLimits",
];
const { schemas } = JSON.parse(readFileSync("openapi.json", "utf8")).components;
const found = {};
const take = (name) => {
  if (name in found) return;
  found[name] = schemas[name];
  for (const [, other] of JSON.stringify(schemas[name]).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) take(other);
};
FORMS.forEach(take);
writeFileSync("src/api/forms.json", JSON.stringify(found));
