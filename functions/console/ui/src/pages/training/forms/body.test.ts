import { expect, test } from "vitest";

import { ApiProblem } from "../../../api/problem";
import { bodyOf, errorsOf } from "./body";

test("what is empty is left to the API's defaults", () => {
  const form = { spec: { dataset: "adult", target: "", folds: null, refit: false }, compute: { gpus: undefined }, minutes: 1.5, maxCostUsd: null };
  expect(bodyOf("train", form)).toEqual({ spec: { kind: "train", dataset: "adult", refit: false }, max_seconds: 90 });
});

test("compute goes along where something of it was chosen", () => {
  const form = { spec: { dataset: "adult" }, compute: { vcpus: 2 }, minutes: null, maxCostUsd: 0.5 };
  expect(bodyOf("autotrain", form)).toEqual({ spec: { kind: "autotrain", dataset: "adult" }, compute: { vcpus: 2 }, max_cost_usd: 0.5 });
});

test("what the API refuses is told at its field", () => {
  const errors = [
    { location: "body.spec.train.target", message: "unknown column" },
    { location: "body.spec.hyperparameters.max_depth", message: "too deep" },
    { location: "body.compute.vcpus", message: "too many" },
  ];
  const problem = new ApiProblem({ status: 422, code: "invalid_request", detail: "no", errors });
  expect(errorsOf(problem)).toEqual({ target: "unknown column", "hyperparameters.max_depth": "too deep", "compute.vcpus": "too many" });
  expect(errorsOf(new Error("else"))).toEqual({});
});
