import { expect, test } from "vitest";

import { goalsOf, historyOf, namesOf } from "./objectives";
import { settledPages, type Study, type Trial } from "./pages";

function trial(number: number, given: Partial<Trial> = {}): Trial {
  return { number, state: "COMPLETE", values: [number], hyperparameters: {}, intermediate_values: {}, metrics: {}, ...given };
}

test("what was left open is known by the metrics of a trial", () => {
  const study = { spec: { kind: "autotrain" } } as unknown as Study;
  const rmse = trial(0, { values: [2.5], metrics: { r2: 0.4, rmse: 2.5 } });
  expect(goalsOf(study, [rmse])).toEqual([{ metric: "rmse", isLower: true }]);
});

test("objectives are as they were asked for", () => {
  const study = { spec: { kind: "search", objectives: [{ metric: "roc_auc" }, { metric: "custom", direction: "minimize" }] } } as unknown as Study;
  expect(goalsOf(study, [])).toEqual([
    { metric: "roc_auc", isLower: false },
    { metric: "custom", isLower: true },
  ]);
});

test("the best so far never becomes worse, and only complete trials count", () => {
  const trials = [trial(0, { values: [0.5] }), trial(1, { values: [0.9], state: "PRUNED" }), trial(2, { values: [0.4] }), trial(3, { values: [0.7] })];
  expect(historyOf(trials, { metric: "roc_auc", isLower: false }).map((point) => point.best)).toEqual([0.5, 0.5, 0.7]);
  expect(historyOf(trials, { metric: "rmse", isLower: true }).map((point) => point.best)).toEqual([0.5, 0.4, 0.4]);
});

test("hyperparameters that one trial alone has are left out", () => {
  expect(namesOf([trial(0, { hyperparameters: { a: 1, b: 1 } }), trial(1, { hyperparameters: { a: 2, c: 1 } })])).toEqual(["a"]);
});

test("pages are read again from the first whose trials have not all ended", () => {
  const full = (state: Trial["state"]) => ({ cursor: undefined, trials: Array.from({ length: 100 }, (_, index) => trial(index, { state })) });
  expect(settledPages([])).toBe(0);
  expect(settledPages([full("COMPLETE"), full("RUNNING"), full("COMPLETE")])).toBe(1);
  expect(settledPages([full("COMPLETE"), full("COMPLETE")])).toBe(1);
});
