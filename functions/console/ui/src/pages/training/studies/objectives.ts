/** What a study's trials are judged by. */

import { isLowerBetter } from "../job/metrics";
import type { Study, Trial } from "./pages";

export interface Goal {
  metric: string;
  isLower: boolean;
}

/** One for each value of a trial. What the study left open is known by a trial's own metrics. */
export function goalsOf(study: Study, trials: readonly Trial[]): Goal[] {
  const { spec } = study;
  const complete = trials.find((trial) => trial.values != null);
  const asked: { metric?: string | null; direction?: string | null }[] = "objectives" in spec ? spec.objectives : [{ metric: "metric" in spec ? spec.metric : null }];
  return asked.map((objective, index) => {
    const value = complete?.values?.[index];
    const found = complete && Object.entries(complete.metrics).find(([, each]) => each === value)?.[0];
    const metric = objective.metric ?? found ?? "score";
    return { metric, isLower: objective.direction == null ? isLowerBetter(metric) : objective.direction === "minimize" };
  });
}

export interface Point {
  number: number;
  value: number;
  best: number;
}

/** The first objective of complete trials, and the best until then. */
export function historyOf(trials: readonly Trial[], goal: Goal): Point[] {
  let best: number | null = null;
  const points: Point[] = [];
  for (const trial of trials) {
    const value = trial.values?.[0];
    if (trial.state !== "COMPLETE" || value === undefined) continue;
    if (best === null || (goal.isLower ? value < best : value > best)) best = value;
    points.push({ number: trial.number, value, best });
  }
  return points;
}

/** Hyperparameters that several trials have, of one algorithm where one is named; the most frequent first. */
export function namesOf(trials: readonly Trial[]): string[] {
  const counts = new Map<string, number>();
  for (const trial of trials) for (const name of Object.keys(trial.hyperparameters)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 1).sort((a, b) => b[1] - a[1]).map(([name]) => name);
}
