/** One study: the best so far, what was tried, and what mattered. */

import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams, useSearchParams } from "react-router";

import { api, dataOf } from "../../../api/client";
import { Link, useGo } from "../../../app/links";
import { useSession } from "../../../app/session";
import { Code } from "../../../components/Code";
import { Confirm } from "../../../components/Confirm";
import { Loaded } from "../../../components/Loaded";
import { isMoving, Status } from "../../../components/Status";
import { goalsOf } from "./objectives";
import { StudyBest } from "./StudyBest";
import { StudyFigures } from "./StudyFigures";
import { TrialTable } from "./TrialTable";
import type { Study } from "./pages";
import { useTrials } from "./trials";

export function StudyPage() {
  const { study = "" } = useParams();
  const found = useQuery({
    queryKey: ["study", study],
    queryFn: () => dataOf(api.GET("/v1/studies/{study}", { params: { path: { study } } })),
    refetchInterval: ({ state }) => (state.data?.status != null && isMoving(state.data.status) ? 2_000 : false),
  });
  return <Loaded query={found}>{(data) => <Shown study={data} />}</Loaded>;
}

function Shown({ study }: { study: Study }) {
  const { t } = useTranslation("training");
  const [search, setSearch] = useSearchParams();
  const isRunning = study.status != null && isMoving(study.status);
  const query = useTrials(study.name, isRunning);
  const trials = query.data ?? [];
  const goals = goalsOf(study, trials);
  const tabs = [
    { id: "best", label: t("study.best"), content: <StudyBest study={study} trials={trials} goals={goals} isRunning={isRunning} /> },
    { id: "figures", label: t("study.figures"), content: <StudyFigures study={study} trials={trials} goals={goals} isRunning={isRunning} /> },
    { id: "trials", label: t("study.trials", { count: trials.length }), content: <Loaded query={query}>{(all) => <TrialTable trials={all} goals={goals} />}</Loaded> },
    { id: "request", label: t("job.request"), content: <Code maxHeightPx={700}>{JSON.stringify(study.spec, null, 2)}</Code> },
  ];
  const asked = search.get("tab");
  const newest = study.job_ids.at(-1);
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description={
            <>
              {study.status != null && <Status status={study.status}>{t(`statuses.${study.status}`)}</Status>} · {t(`kinds.${study.spec.kind}`)} ·{" "}
              {study.job_ids.map((id, index) => (
                <span key={id}>
                  {index > 0 && ", "}
                  <Link to={`/training/jobs/${id}`}>{t("study.job", { number: index + 1 })}</Link>
                </span>
              ))}
            </>
          }
          actions={<Actions study={study} isRunning={isRunning} newest={newest} />}
        >
          {study.name}
        </Header>
      }
    >
      <Tabs tabs={tabs} activeTabId={tabs.some((tab) => tab.id === asked) ? (asked as string) : "best"} onChange={({ detail }) => setSearch({ tab: detail.activeTabId })} ariaLabel={t("study.title")} />
    </ContentLayout>
  );
}

function Actions({ study, isRunning, newest }: { study: Study; isRunning: boolean; newest: string | undefined }) {
  const { t } = useTranslation("training");
  const go = useGo();
  const queries = useQueryClient();
  const { may } = useSession();
  const [asks, setAsks] = useState<"stop" | "delete" | null>(null);
  if (!may("developer")) return null;
  return (
    <SpaceBetween size="xs" direction="horizontal">
      {isRunning && newest !== undefined && <Button onClick={() => setAsks("stop")}>{t("job.stop")}</Button>}
      {!isRunning && <Button onClick={() => setAsks("delete")}>{t("delete", { ns: "common" })}</Button>}
      {asks === "stop" && newest !== undefined && (
        <Confirm
          title={t("job.stopTitle")}
          verb={t("job.stop")}
          onClose={() => setAsks(null)}
          onConfirm={async () => {
            await api.POST("/v1/jobs/{job}/stop", { params: { path: { job: newest } } });
            await queries.invalidateQueries({ queryKey: ["study"] });
          }}
        >
          {t("job.stopText")}
        </Confirm>
      )}
      {asks === "delete" && (
        <Confirm
          title={t("study.deleteTitle", { name: study.name })}
          verb={t("delete", { ns: "common" })}
          onClose={() => setAsks(null)}
          onConfirm={async () => {
            await api.DELETE("/v1/studies/{study}", { params: { path: { study: study.name } } });
            await queries.invalidateQueries({ queryKey: ["studies"] });
            go("/training/studies");
          }}
        >
          {t("study.deleteText")}
        </Confirm>
      )}
    </SpaceBetween>
  );
}
