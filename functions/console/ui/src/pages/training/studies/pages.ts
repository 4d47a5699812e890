/** Trials as pages of the API. */

import type { Schemas } from "../../../api/client";

export type Trial = Schemas["Trial"];
export type Study = Schemas["Study"];

export const PAGE = 100;

export interface Page {
  /** Where it begins. */
  cursor: string | undefined;
  trials: Trial[];
}

/** The pages from the beginning that will stay as they are: full, and all of their trials ended. */
export function settledPages(pages: readonly Page[]): number {
  const open = pages.findIndex((page) => page.trials.length < PAGE || page.trials.some((trial) => trial.state === "RUNNING" || trial.state === "WAITING"));
  // NOTE: the last page is read again: where the next begins is in its answer.
  return Math.max(0, Math.min(open === -1 ? pages.length : open, pages.length - 1));
}
