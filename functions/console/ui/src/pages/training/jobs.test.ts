import { expect, test } from "vitest";

import { type Job, secondsLeft, secondsOf, whatOf } from "./jobs";

const STARTED = "2026-01-01T00:00:00Z";
const at = (seconds: number) => Date.parse(STARTED) + seconds * 1000;

function job(given: Partial<Job>): Job {
  return { kind: "train", status: "RUNNING", max_seconds: 100, started_at: STARTED, ...given } as Job;
}

test("what is left follows the pace, and the limit where that is nearer", () => {
  const quarter = { phase: "training", fraction: 0.25, message: "" };
  expect(secondsLeft(job({ progress: quarter }), at(10))).toBe(30);
  expect(secondsLeft(job({ progress: quarter }), at(50))).toBe(50);
  expect(secondsLeft(job({ progress: null }), at(60))).toBe(40);
});

test("nothing is left of what has ended or not begun", () => {
  expect(secondsLeft(job({ status: "SUCCEEDED", ended_at: STARTED }), at(10))).toBeNull();
  expect(secondsLeft(job({ status: "QUEUED", started_at: null }), at(10))).toBeNull();
});

test("a job that has ended took as long as it took", () => {
  expect(secondsOf(job({ ended_at: "2026-01-01T00:01:30Z" }), at(1000))).toBe(90);
});

test("a job is told by what it works on", () => {
  expect(whatOf(job({ spec: { algorithm: "mlp", dataset: "adult@3" } as Job["spec"] }))).toBe("mlp · adult@3");
  expect(whatOf(job({ kind: "fuse", spec: { members: ["a@1", "b@2"] } as Job["spec"] }))).toBe("a@1, b@2");
});
