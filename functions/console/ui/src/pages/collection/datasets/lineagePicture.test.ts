import { describe, expect, it } from "vitest";

import { pictureOf } from "./lineagePicture";

const MODEL = { job_id: "job_1", dataset_versions: {}, through: [], parents: [] };

describe("lineage as a picture", () => {
  it("goes from the source by the dataset to models, each right of its parents", () => {
    const { nodes, edges } = pictureOf({
      dataset_id: "ds_1",
      dataset_name: "adult",
      source_id: "src_1",
      source_name: "adult",
      streams: [],
      models: [
        { ...MODEL, model_name: "small", number: 1, parents: ["both@1"] },
        { ...MODEL, model_name: "both", number: 1, parents: ["net@1", "trees@2", "elsewhere@1"] },
        { ...MODEL, model_name: "net", number: 1, dataset_versions: { train: 1 } },
        { ...MODEL, model_name: "trees", number: 2, dataset_versions: { train: 1 } },
      ],
    });
    // A source may be called as its dataset is.
    expect(nodes.map((node) => [node.id, node.kind, node.layer])).toEqual([
      ["adult ", "source", 0],
      ["adult", "dataset", 1],
      ["small@1", "model", 4],
      ["both@1", "model", 3],
      ["net@1", "model", 2],
      ["trees@2", "model", 2],
    ]);
    expect(edges).toEqual([
      ["adult ", "adult"],
      ["both@1", "small@1"],
      ["net@1", "both@1"],
      ["trees@2", "both@1"],
      ["adult", "net@1"],
      ["adult", "trees@2"],
    ]);
  });

  it("goes by the data that were prepared of the dataset", () => {
    const { nodes, edges } = pictureOf({
      dataset_id: "ds_1",
      dataset_name: "orders",
      streams: [],
      models: [
        { ...MODEL, model_name: "churn", number: 1, dataset_versions: { train: 3 }, through: ["features@2", "joined@1"] },
        { ...MODEL, model_name: "value", number: 1, dataset_versions: { train: 3 }, through: ["joined@1"] },
      ],
    });
    expect(nodes.map((node) => [node.id, node.kind, node.layer, node.href])).toEqual([
      ["orders", "dataset", 1, "/collection/datasets/orders"],
      ["churn@1", "model", 4, "/models/churn"],
      ["joined@1", "dataset", 2, "/collection/datasets/joined"],
      ["features@2", "dataset", 3, "/collection/datasets/features"],
      ["value@1", "model", 3, "/models/value"],
    ]);
    expect(edges).toEqual([
      ["orders", "joined@1"],
      ["joined@1", "features@2"],
      ["features@2", "churn@1"],
      ["joined@1", "value@1"],
    ]);
  });

  it("ends where models name each other", () => {
    const { nodes } = pictureOf({
      dataset_id: "ds_1",
      dataset_name: "d",
      streams: [],
      models: [
        { ...MODEL, model_name: "a", number: 1, parents: ["b@1"] },
        { ...MODEL, model_name: "b", number: 1, parents: ["a@1"] },
      ],
    });
    expect(nodes).toHaveLength(3);
  });
});
