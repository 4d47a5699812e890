/** One job: where it is, what it learns, what it said and what it left. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams, useSearchParams } from "react-router";

import { api, dataOf, newIdempotencyKey } from "../../api/client";
import { Link, useGo } from "../../app/links";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Code } from "../../components/Code";
import { Confirm } from "../../components/Confirm";
import { Loaded } from "../../components/Loaded";
import { isMoving, Status } from "../../components/Status";
import { curvesOf } from "./job/curves";
import { Curves } from "./job/Curves";
import { type Story, useStory } from "./job/following";
import { JobArtifacts } from "./job/JobArtifacts";
import { JobLog } from "./job/JobLog";
import { JobResult } from "./job/JobResult";
import { JobSummary } from "./job/JobSummary";
import { type Job, whatOf } from "./jobs";

export function JobPage() {
  const { job } = useParams();
  const story = useStory(job ?? "");
  return <Loaded query={story}>{(found) => <Shown story={found} />}</Loaded>;
}

function Shown({ story }: { story: Story }) {
  const { t } = useTranslation("training");
  const [search, setSearch] = useSearchParams();
  const { job, events } = story;
  const curves = useMemo(() => curvesOf(events), [events]);
  const tabs = [
    { id: "summary", label: t("job.summary"), content: <JobSummary story={story} /> },
    { id: "curves", label: t("curves.title"), content: <Curves groups={curves} empty={t(isMoving(job.status) ? "curves.waiting" : "curves.empty")} /> },
    { id: "result", label: t("result.title"), content: <JobResult job={job} /> },
    { id: "log", label: t("log.title"), content: <JobLog job={job} /> },
    { id: "artifacts", label: t("artifacts.title"), content: <JobArtifacts job={job} /> },
    { id: "request", label: t("job.request"), content: <Code maxHeightPx={700}>{requestOf(job)}</Code> },
  ];
  const asked = search.get("tab");
  return (
    <ContentLayout
      header={
        <Header variant="h1" description={<JobState job={job} />} actions={<Actions job={job} />}>
          {t(`kinds.${job.kind}`)}: {whatOf(job)}
        </Header>
      }
    >
      <SpaceBetween size="m">
        {job.failure != null && (
          <Alert type="error" header={t("job.failed")}>
            {job.failure.cause}
          </Alert>
        )}
        <Tabs
          tabs={tabs}
          activeTabId={tabs.some((tab) => tab.id === asked) ? (asked as string) : "summary"}
          onChange={({ detail }) => setSearch({ tab: detail.activeTabId })}
          ariaLabel={t("job.title")}
        />
      </SpaceBetween>
    </ContentLayout>
  );
}

function JobState({ job }: { job: Job }) {
  const { t } = useTranslation("training");
  return (
    <>
      <Status status={job.status}>{t(`statuses.${job.status}`)}</Status>
      {job.status_reason != null && job.failure == null && <> · {job.status_reason}</>}
      {job.retry_of != null && (
        <>
          {" "}
          · {t("job.retryOf")} <Link to={`/training/jobs/${job.retry_of}`}>{job.retry_of}</Link>
        </>
      )}
    </>
  );
}

/** As POST /v1/jobs took it. */
function requestOf(job: Job): string {
  return JSON.stringify({ spec: job.spec, compute: job.compute, max_seconds: job.max_seconds, depends_on: job.depends_on }, null, 2);
}

function Actions({ job }: { job: Job }) {
  const { t } = useTranslation("training");
  const go = useGo();
  const notices = useNotices();
  const queries = useQueryClient();
  const { may } = useSession();
  const [isStopping, setStopping] = useState(false);
  const key = useRef(newIdempotencyKey());
  const retry = useMutation({
    mutationFn: () => dataOf(api.POST("/v1/jobs/{job}/retry", { params: { path: { job: job.id }, header: { "Idempotency-Key": key.current } } })),
    onSuccess: (made) => {
      key.current = newIdempotencyKey();
      notices.success(t("job.retried"));
      go(`/training/jobs/${made.id}`);
    },
    onError: notices.failure,
  });
  if (!may("developer")) return null;
  const isOver = !isMoving(job.status);
  const mayRetry = job.status === "FAILED" || job.status === "STOPPED";
  return (
    <SpaceBetween size="xs" direction="horizontal">
      {!isOver && (
        <Button onClick={() => setStopping(true)} disabled={job.status === "STOPPING"}>
          {t("job.stop")}
        </Button>
      )}
      {mayRetry && (
        <Button loading={retry.isPending} onClick={() => retry.mutate()}>
          {t("job.retry")}
        </Button>
      )}
      {isStopping && (
        <Confirm
          title={t("job.stopTitle")}
          verb={t("job.stop")}
          onClose={() => setStopping(false)}
          onConfirm={async () => {
            await api.POST("/v1/jobs/{job}/stop", { params: { path: { job: job.id } } });
            await queries.invalidateQueries({ queryKey: ["job", job.id] });
          }}
        >
          {t("job.stopText")}
        </Confirm>
      )}
    </SpaceBetween>
  );
}
