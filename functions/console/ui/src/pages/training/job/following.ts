/** What a job tells while it runs, by cursors: an answer that is lost is asked for again from where the one before ended. */

import { type QueryClient, queryOptions, useQueries, useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api, dataOf, type Schemas } from "../../../api/client";
import { ApiProblem } from "../../../api/problem";
import { isMoving } from "../../../components/Status";
import type { Job } from "../jobs";

export type JobEvent = Schemas["JobEvent"];
type LogLine = Schemas["LogLine"];

/** A curve has to appear within 3 seconds of its step. */
const EVENTS_MS = 1_000;
const MANY_EVENTS = 100;
const LOGS_MS = 1_500;
/** Lines of a log still arrive when its job has ended. */
const LATE_MS = 20_000;
const LOG_LINES = 5_000;

export interface Story {
  job: Job;
  events: JobEvent[];
  last: number;
}

export function useStory(id: string): UseQueryResult<Story> {
  return useQuery(storyOf(useQueryClient(), id));
}

/** Of several jobs at once. */
export function useStories(ids: readonly string[]): UseQueryResult<Story>[] {
  const queries = useQueryClient();
  return useQueries({ queries: ids.map((id) => storyOf(queries, id)) });
}

function storyOf(queries: QueryClient, id: string) {
  const queryKey = ["job", id, "story"];
  return queryOptions({
    queryKey,
    queryFn: async ({ signal }) => {
      for (;;) {
        const known = queries.getQueryData<Story>(queryKey);
        const query = { after: known?.last ?? 0 };
        const next = await dataOf(api.GET("/v1/jobs/{job}/events", { params: { path: { job: id }, query }, signal }));
        const story = { job: next.job, events: [...(known?.events ?? []), ...next.events], last: next.last };
        // Of a job that runs the rest comes a second later: it may tell more than is asked for in one go.
        if (next.events.length === 0 || (isMoving(next.job.status) && next.events.length < MANY_EVENTS)) return story;
        // What has come is kept, whatever becomes of what follows.
        queries.setQueryData<Story>(queryKey, story);
      }
    },
    refetchInterval: ({ state }) => (isAway(state.error) || (state.data !== undefined && isMoving(state.data.job.status)) ? EVENTS_MS : false),
    staleTime: EVENTS_MS / 2,
    structuralSharing: false,
  });
}

/** It may go on later, from where it ended. */
function isAway(error: Error | null): boolean {
  return error instanceof ApiProblem && error.isTransient;
}

interface Log {
  lines: LogLine[];
  cursor: string | undefined;
}

/** Of the latest attempt: another one has a log of its own. */
export function useLog(job: Job, isShown: boolean): UseQueryResult<Log> {
  const queries = useQueryClient();
  const queryKey = ["job", job.id, "log", job.attempt, job.log_stream ?? ""];
  const isGrowing = isMoving(job.status) || Date.now() - Date.parse(job.ended_at ?? job.updated_at) < LATE_MS;
  return useQuery({
    queryKey,
    queryFn: async ({ signal }) => {
      for (;;) {
        const known = queries.getQueryData<Log>(queryKey) ?? { lines: [], cursor: undefined };
        const query = { cursor: known.cursor, limit: LOG_LINES };
        const next = await dataOf(api.GET("/v1/jobs/{job}/logs", { params: { path: { job: job.id }, query }, signal }));
        const log = { lines: [...known.lines, ...next.lines], cursor: next.next_cursor ?? known.cursor };
        if (next.lines.length === 0) return log;
        queries.setQueryData<Log>(queryKey, log);
      }
    },
    enabled: isShown && job.log_stream != null,
    refetchInterval: ({ state }) => (isAway(state.error) || isGrowing ? LOGS_MS : false),
    structuralSharing: false,
  });
}

/** The present time, anew every second while something runs. */
export function useNow(isRunning: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [isRunning]);
  return now;
}
