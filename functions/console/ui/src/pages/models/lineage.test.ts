import { expect, test } from "vitest";

import type { Schemas } from "../../api/client";
import { graphOf } from "./lineage";
import type { Endpoint } from "./versions";

const REF = { model_id: "mdl_1", model_name: "adult", number: 1 };

function version(given: Partial<Schemas["ModelVersionDetail"]>): Schemas["ModelVersionDetail"] {
  return { ...REF, number: 2, job_id: "job_1", datasets: {}, parents: [], parts: {}, fusions: [], endpoints: [], ...given } as Schemas["ModelVersionDetail"];
}

test("from the source to the endpoint", () => {
  const pin = { dataset_id: "ds_1", dataset_name: "adult", number: 3, digest: "" };
  const served = { id: "ep_1", name: "live" } as Endpoint;
  const graph = graphOf(version({ datasets: { train: pin }, parents: [REF], endpoints: ["ep_1"] }), null, [served], [{ dataset: "adult", id: "src_1", name: "feed" }]);
  expect(graph.edges).toEqual([
    ["job job_1", "version adult@2"],
    ["dataset adult@3", "job job_1"],
    ["source feed", "dataset adult@3"],
    ["model adult@1", "job job_1"],
    ["version adult@2", "endpoint live"],
  ]);
  expect(graph.nodes.find((node) => node.kind === "endpoint")).toMatchObject({ path: "/inference/endpoints/live", column: 4 });
});

test("a dataset of two channels is there once", () => {
  const pin = { dataset_id: "ds_1", dataset_name: "adult", number: 3, digest: "" };
  const graph = graphOf(version({ datasets: { train: pin, validation: pin } }), null, [], []);
  expect(graph.nodes.filter((node) => node.kind === "dataset")).toHaveLength(1);
});
