// Picks from the OpenAPI document what forms are drawn from, so that no page has to read all of it.

import { readFileSync, writeFileSync } from "node:fs";

const DRAWN = ["Compute", "Recipe", "TrainSpec", "SearchSpec", "AutotrainSpec", "CompressSpec", "FuseSpec", "DecomposeSpec", "PrepareSpec", "ImportSpec"];
const REF = "#/components/schemas/";

const { schemas } = JSON.parse(readFileSync("openapi.json", "utf8")).components;
const found = {};
const take = (name) => {
  if (name in found) return;
  if (!(name in schemas)) throw new Error(`The OpenAPI document has no schema ${name}.`);
  found[name] = schemas[name];
  for (const [, other] of JSON.stringify(schemas[name]).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) take(other);
};
DRAWN.forEach(take);
writeFileSync("src/api/schemas.json", JSON.stringify(found).replaceAll(REF, "#/$defs/"));
