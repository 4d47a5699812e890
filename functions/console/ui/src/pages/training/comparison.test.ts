import { expect, test } from "vitest";

import { differencesOf } from "./comparison";
import type { Job } from "./jobs";

function job(given: object): Job {
  const spec = { kind: "train", dataset: "adult", algorithm: "xgboost", hyperparameters: { max_depth: 6 } };
  return { kind: "train", status: "SUCCEEDED", metrics: {}, channels: {}, compute: { backend: "batch" }, max_seconds: 60, updated_at: "2026-01-01T00:00:00Z", spec, ...given } as unknown as Job;
}

test("only what is not the same differs, nested values by their paths", () => {
  const other = { kind: "train", dataset: "adult", algorithm: "xgboost", hyperparameters: { max_depth: 3, eta: 0.1 } };
  const found = differencesOf([job({ metrics: { auc: 0.9 } }), job({ metrics: { auc: 0.8 }, spec: other })]);
  expect(found.filter((each) => each.differs)).toEqual([
    { name: "metrics.auc", values: [0.9, 0.8], differs: true },
    { name: "hyperparameters.max_depth", values: [6, 3], differs: true },
    { name: "hyperparameters.eta", values: [undefined, 0.1], differs: true },
  ]);
  expect(found.find((each) => each.name === "dataset")?.differs).toBe(false);
});
