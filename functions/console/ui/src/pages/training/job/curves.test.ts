import { expect, test } from "vitest";

import { curvesOf, messagesOf } from "./curves";
import type { JobEvent } from "./following";

function metrics(number: number, points: object[], attempt = 1): JobEvent {
  return { number, at: "2026-01-01T00:00:00Z", attempt, type: "metrics", data: { points } };
}

test("curves of one metric are in one picture, in the order of their steps", () => {
  const events = [metrics(1, [{ step: 2, values: { "train/loss": 0.5, "validation/loss": 0.6 } }]), metrics(2, [{ step: 1, values: { "train/loss": 0.9, lr: 0.1 } }])];
  expect(curvesOf(events)).toEqual([
    {
      metric: "loss",
      curves: [
        { name: "train/loss", points: [[1, 0.9], [2, 0.5]] },
        { name: "validation/loss", points: [[2, 0.6]] },
      ],
    },
    { metric: "lr", curves: [{ name: "lr", points: [[1, 0.1]] }] },
  ]);
});

test("an attempt that goes on from a checkpoint writes over what it does again", () => {
  const events = [metrics(1, [{ step: 1, values: { a: 1 } }, { step: 2, values: { a: 2 } }]), metrics(2, [{ step: 2, values: { a: 3 } }], 2)];
  expect(curvesOf(events)[0]?.curves[0]?.points).toEqual([[1, 1], [2, 3]]);
});

test("what is not finite is a gap", () => {
  expect(curvesOf([metrics(1, [{ step: 1, values: { a: null } }])])[0]?.curves[0]?.points).toEqual([[1, null]]);
});

test("messages are those that are texts", () => {
  const said: JobEvent = { number: 1, at: "2026-01-01T00:00:00Z", attempt: 1, type: "message", data: { text: "hello" } };
  expect(messagesOf([said, metrics(2, [])])).toEqual([{ at: said.at, text: "hello" }]);
});
