/** The rows of a query, page by page as they are wanted, up to as many as a page of the console holds. */

import { useCallback, useEffect, useRef, useState } from "react";

import { api, dataOf } from "../../../api/client";

export const MAX_ROWS = 100_000;
const PAGE = 500;
/** So many pages come in before the table is drawn again. */
const FLUSH = 10;

type Row = readonly unknown[];

interface Loaded {
  rows: Row[];
  /** Null: there are no more. */
  cursor: string | null | undefined;
}

export function useResultRows(query: string) {
  const [{ rows, cursor }, setLoaded] = useState<Loaded>({ rows: [], cursor: undefined });
  const [isLoading, setLoading] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const controller = useRef<AbortController | null>(null);
  const now = useRef<Loaded>({ rows: [], cursor: undefined });

  /** Until there are so many. */
  const load = useCallback(
    async (wanted: number) => {
      if (controller.current !== null) return;
      const mine = new AbortController();
      controller.current = mine;
      setLoading(true);
      setError(null);
      const limit = Math.min(wanted, MAX_ROWS);
      try {
        for (let page = 1; now.current.rows.length < limit && now.current.cursor !== null; page += 1) {
          const found = await dataOf(
            api.GET("/v1/queries/{query}/rows", { params: { path: { query }, query: { limit: PAGE, cursor: now.current.cursor } }, signal: mine.signal }),
          );
          now.current.rows.push(...(found.rows as Row[]));
          now.current.cursor = found.next_cursor ?? null;
          if (page % FLUSH === 0) setLoaded({ rows: [...now.current.rows], cursor: now.current.cursor });
        }
      } catch (fault) {
        if (!mine.signal.aborted) setError(fault);
      } finally {
        if (controller.current === mine) {
          controller.current = null;
          setLoaded({ rows: [...now.current.rows], cursor: now.current.cursor });
          setLoading(false);
        }
      }
    },
    [query],
  );
  const stop = useCallback(() => controller.current?.abort(), []);

  useEffect(() => {
    now.current = { rows: [], cursor: undefined };
    void load(PAGE);
    return () => {
      controller.current?.abort();
      controller.current = null;
    };
  }, [load]);

  return { rows, hasMore: cursor !== null && rows.length < MAX_ROWS, isLoading, error, load, stop };
}
