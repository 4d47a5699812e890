import { describe, expect, it } from "vitest";

import { attentionOf } from "./attention";

const NOW = Date.parse("2026-01-02T00:00:00Z");
const NONE = { sources: [], versions: [], triggers: [], failedJobs: [], endpoints: [], centres: [], budget: null };
type Found = Parameters<typeof attentionOf>[0];

function found(given: object): Found {
  return { ...NONE, ...given } as Found;
}

describe("what needs attention", () => {
  it("is nothing where all is well", () => {
    const well = found({ sources: [{ id: "s", status: "ACTIVE" }, { id: "p", status: "PAUSED" }], endpoints: [{ id: "e", status: "READY", alarm: "OK" }], triggers: [{ id: "t", status: "PAUSED", status_reason: null }] });
    expect(attentionOf(well, NOW)).toEqual([]);
  });

  it("is what fails, the newest first, with the reason and the way there", () => {
    const all = attentionOf(
      found({
        sources: [{ id: "s", name: "shop", status: "AUTH_FAILED", status_reason: "401", last_run_at: "2026-01-01T10:00:00Z" }],
        endpoints: [{ id: "e", name: "adult", status: "READY", alarm: "ALARM", alarm_reasons: ["p95 is 80 ms."], updated_at: "2026-01-01T12:00:00Z" }],
        versions: [{ id: "v", dataset_name: "orders", number: 3, status: "REJECTED", status_reason: "bad", updated_at: "2026-01-01T11:00:00Z" }],
      }),
      NOW,
    );
    expect(all.map((each) => [each.name, each.reason, each.href])).toEqual([
      ["adult", "p95 is 80 ms.", "/inference/endpoints/adult"],
      ["orders@3", "bad", "/collection/datasets/orders?version=3"],
      ["shop", "401", "/collection/sources/shop"],
    ]);
  });

  it("is a part of the platform that does not do well, and a budget that is nearly spent", () => {
    const centres = [{ name: "collection", health: "OK", reasons: [] }, { name: "management", health: "STARTING", reasons: ["Soon."] }, { name: "training", health: "DEGRADED", reasons: ["2 dead letters."] }];
    const budget = { status: "WARNED", percent: 83.4, updated_at: "2026-01-01T12:00:00Z" };
    expect(attentionOf(found({ centres, budget }), NOW).map((each) => [each.centre, each.nameKey, each.reason])).toEqual([
      ["management", "budget", "83 %"],
      ["training", "common:area.training", "2 dead letters."],
    ]);
    expect(attentionOf(found({ budget: { ...budget, status: "OK" } }), NOW)).toEqual([]);
  });

  it("forgets failed jobs after a day", () => {
    const failedJobs = ["2025-12-30T00:00:00Z", "2026-01-01T01:00:00Z"].map((ended_at, index) => ({ id: `job_${index}`, kind: "train", status: "FAILED", ended_at, failure: { cause: "no memory" } }));
    expect(attentionOf(found({ failedJobs }), NOW).map((each) => each.id)).toEqual(["job_1"]);
  });
});
