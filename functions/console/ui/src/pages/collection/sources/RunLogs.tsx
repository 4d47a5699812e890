/** What a run wrote, while it writes. */

import Modal from "@cloudscape-design/components/modal";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { Code } from "../../../components/Code";
import { Empty } from "../../../components/Empty";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { isMoving } from "../../../components/Status";

export function RunLogs({ job, onClose }: { job: Schemas["Job"]; onClose: () => void }) {
  const { t } = useTranslation("collection");
  const now = useQuery({
    queryKey: ["jobs", job.id],
    queryFn: () => dataOf(api.GET("/v1/jobs/{job}", { params: { path: { job: job.id } } })),
    refetchInterval: ({ state }) => (isMoving(state.data?.status ?? job.status) ? 1_000 : false),
  });
  const logs = useInfiniteQuery({
    queryKey: ["jobs", job.id, "logs"],
    queryFn: ({ pageParam }) => dataOf(api.GET("/v1/jobs/{job}/logs", { params: { path: { job: job.id }, query: { limit: 1_000, cursor: pageParam } } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: isMoving(now.data?.status ?? job.status) ? 1_500 : false,
  });
  const { hasNextPage, isFetching, fetchNextPage } = logs;
  const lines = logs.data?.pages.flatMap((page) => page.lines) ?? [];
  const isEndless = lines.length >= 10_000;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isEndless && (logs.data?.pages.at(-1)?.lines.length ?? 0) > 0) void fetchNextPage();
  }, [hasNextPage, isFetching, isEndless, fetchNextPage, logs.data]);
  return (
    <Modal visible size="max" header={t("runs.logsOf", { id: job.id })} onDismiss={onClose} closeAriaLabel={t("common:cancel")}>
      {logs.isError && <ProblemAlert error={logs.error} onRetry={() => void logs.refetch()} />}
      {lines.length === 0 ? (
        <Empty title={logs.isPending ? t("common:loading") : t("runs.noLogs")} />
      ) : (
        <Code maxHeightPx={600}>{lines.map((line) => `${line.at}  ${line.message}`).join("\n")}</Code>
      )}
    </Modal>
  );
}
