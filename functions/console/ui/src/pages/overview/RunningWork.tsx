/** Jobs that have not ended, with how far they are. */

import Header from "@cloudscape-design/components/header";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import Table from "@cloudscape-design/components/table";
import type { UseQueryResult } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { Link } from "../../app/links";
import { Empty } from "../../components/Empty";
import { ProblemAlert } from "../../components/ProblemAlert";
import { Status } from "../../components/Status";
import { formatSeconds, Time } from "../../components/values";
import type { JobRow } from "./attention";

export function RunningWork({ jobs, query }: { jobs: JobRow[]; query: UseQueryResult<JobRow[]> }) {
  const { t } = useTranslation("overview");
  return (
    <Table
      items={jobs}
      trackBy="id"
      loading={query.isPending}
      loadingText={t("common:loading")}
      ariaLabels={{ tableLabel: t("running") }}
      header={
        <Header variant="h2" counter={`(${jobs.length})`}>
          {t("running")}
        </Header>
      }
      filter={query.isError && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
      empty={<Empty title={t("nothingRuns")} hint={t("nothingRunsHint")} />}
      columnDefinitions={[
        { id: "kind", header: t("what"), cell: (each) => <Link to={`/training/jobs/${each.id}`}>{`${each.kind} ${each.id}`}</Link>, isRowHeader: true },
        { id: "status", header: t("status"), cell: (each) => <Status status={each.status} /> },
        { id: "progress", header: t("progress"), cell: (each) => <Progress job={each} />, minWidth: 200 },
        { id: "since", header: t("runsFor"), cell: (each) => (each.started_at == null ? "–" : formatSeconds(Math.max((Date.now() - Date.parse(each.started_at)) / 1000, 0))) },
        { id: "at", header: t("since"), cell: (each) => <Time at={each.created_at} /> },
      ]}
    />
  );
}

function Progress({ job }: { job: JobRow }) {
  const { t } = useTranslation("overview");
  const progress = job.progress;
  if (progress == null) return <>–</>;
  const words = [progress.phase, progress.message].filter(Boolean).join(": ");
  if (progress.fraction == null) return <>{words}</>;
  return <ProgressBar value={progress.fraction * 100} additionalInfo={words} ariaLabel={`${t("progress")} ${job.id}`} />;
}
