import { expect, test } from "vitest";

import { changesOf, isEqual } from "./changes";

test("only what changed is sent, also within an object", () => {
  const before = { threads: 1, capture: { percent: 0, hidden: ["name"] }, log_level: "info" };
  expect(changesOf(before, { ...before, capture: { percent: 10, hidden: ["name"] } })).toEqual({ capture: { percent: 10 } });
  expect(changesOf(before, before)).toEqual({});
});

test("what was taken back is null, and an object that was not there is sent whole", () => {
  expect(changesOf({ threads: 4 }, { threads: undefined })).toEqual({ threads: null });
  expect(changesOf({ batching: null }, { batching: { max_rows: 8 } })).toEqual({ batching: { max_rows: 8 } });
  expect(changesOf({}, { threshold: null })).toEqual({});
});

test("lists are compared by what is in them", () => {
  expect(isEqual({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })).toBe(true);
  expect(isEqual([1], [1, 2])).toBe(false);
});
