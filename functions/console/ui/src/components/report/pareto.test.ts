import { expect, test } from "vitest";

import { markPareto } from "./pareto";

test("only what nothing beats is on the front", () => {
  expect(markPareto([[1, 5], [2, 3], [2, 4], [3, 1]])).toEqual([true, true, false, true]);
});

test("equal candidates do not beat each other", () => {
  expect(markPareto([[1, 1], [1, 1]])).toEqual([true, true]);
});
