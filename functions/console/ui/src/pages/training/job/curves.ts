/** Curves out of a job's events. */

import type { JobEvent } from "./following";

export interface Curve {
  /** As the job names it: `validation/log_loss`. */
  name: string;
  points: [step: number, value: number | null][];
}

export interface CurveGroup {
  /** What the curves of one picture have in common: `log_loss`. */
  metric: string;
  curves: Curve[];
}

interface Point {
  step: number;
  values: Record<string, number | null>;
}

/** By metric; an attempt that went on from a checkpoint writes over the steps that it did again. */
export function curvesOf(events: readonly JobEvent[]): CurveGroup[] {
  const found = new Map<string, Map<number, number | null>>();
  for (const event of events) {
    if (event.type !== "metrics") continue;
    for (const point of event.data["points"] as Point[]) {
      for (const [name, value] of Object.entries(point.values)) {
        const steps = found.get(name) ?? new Map<number, number | null>();
        found.set(name, steps.set(point.step, value));
      }
    }
  }
  const curves = [...found].map(([name, steps]) => ({ name, points: [...steps].sort(([a], [b]) => a - b) }));
  const groups = new Map<string, Curve[]>();
  for (const curve of curves) {
    const metric = curve.name.slice(curve.name.indexOf("/") + 1);
    groups.set(metric, [...(groups.get(metric) ?? []), curve]);
  }
  return [...groups].map(([metric, each]) => ({ metric, curves: each }));
}

/** What the job said in words, newest last. */
export function messagesOf(events: readonly JobEvent[]): { at: string; text: string }[] {
  return events
    .filter((event) => event.type === "message" && typeof event.data["text"] === "string")
    .map((event) => ({ at: event.at, text: String(event.data["text"]) }));
}
