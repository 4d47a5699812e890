/** The runs of a source, and what each wrote as it went. */

import Button from "@cloudscape-design/components/button";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { useNotices } from "../../../app/notices";
import { useSession } from "../../../app/session";
import { Empty } from "../../../components/Empty";
import { type ApiPage, ResourceTable } from "../../../components/ResourceTable";
import { isMoving, Status } from "../../../components/Status";
import { formatBytes, formatNumber, formatSeconds, Time } from "../../../components/values";
import { RunLogs } from "./RunLogs";
import type { Source } from "./source";

type Job = Schemas["Job"];

export function Runs({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const { may } = useSession();
  const [opened, setOpened] = useState<Job | null>(null);
  const stop = (job: Job) => api.POST("/v1/jobs/{job}/stop", { params: { path: { job: job.id } } }).catch(notices.failure);
  return (
    <>
      <ResourceTable<Job>
        variant="borderless"
        wrapLines
        queryKey={["sources", "one", source.name, "runs"]}
        read={(cursor) => dataOf(api.GET("/v1/sources/{source}/runs", { params: { path: { source: source.id }, query: { limit: 50, cursor } } })) as Promise<ApiPage<Job>>}
        trackBy={(each) => each.id}
        title={t("sourceTab.runs")}
        everyMs={2_000}
        empty={<Empty title={t("runs.none")} hint={t("runs.noneHint")} />}
        columns={[
          { id: "at", header: t("created"), cell: (each) => <Time at={each.created_at} />, sortingField: "created_at", isRowHeader: true },
          { id: "status", header: t("status"), cell: (each) => <Status status={each.status} />, sortingField: "status" },
          { id: "seconds", header: t("runs.seconds"), cell: (each) => formatSeconds(secondsOf(each)) },
          // Files are taken in as they are: how many rows they have is their version's to say.
          { id: "rows", header: t("rows"), cell: (each) => formatNumber(each.metrics?.num_rows || null, 9) },
          { id: "size", header: t("size"), cell: (each) => formatBytes(each.metrics?.num_bytes) },
          { id: "reason", header: t("reason"), cell: (each) => each.failure?.cause ?? each.status_reason ?? "–" },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) => (
              <>
                <Button variant="inline-link" ariaLabel={`${t("runs.logs")} ${each.id}`} onClick={() => setOpened(each)}>
                  {t("runs.logs")}
                </Button>
                {isMoving(each.status) && may("developer") && (
                  <Button variant="inline-link" ariaLabel={`${t("sql.stop")} ${each.id}`} onClick={() => void stop(each)}>
                    {t("sql.stop")}
                  </Button>
                )}
              </>
            ),
          },
        ]}
      />
      {opened !== null && <RunLogs job={opened} onClose={() => setOpened(null)} />}
    </>
  );
}

function secondsOf(job: Job): number | null {
  if (job.started_at == null) return null;
  return (Date.parse(job.ended_at ?? new Date().toISOString()) - Date.parse(job.started_at)) / 1000;
}
