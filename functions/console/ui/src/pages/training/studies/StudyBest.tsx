/** The best model so far, and how the study came to it. */

import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import CloudscapeLink from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { ApiProblem } from "../../../api/problem";
import { Chart } from "../../../components/Chart";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { formatBytes, formatNumber, Time } from "../../../components/values";
import { type Goal, historyOf } from "./objectives";
import { historyOption } from "./options";
import type { Study, Trial } from "./pages";

interface Props {
  study: Study;
  trials: readonly Trial[];
  goals: readonly Goal[];
  isRunning: boolean;
}

export function StudyBest({ study, trials, goals, isRunning }: Props) {
  const { t } = useTranslation("training");
  const best = useQuery({
    queryKey: ["study", study.name, "best"],
    queryFn: () => dataOf(api.GET("/v1/studies/{study}/best", { params: { path: { study: study.name } } })),
    refetchInterval: isRunning ? 3_000 : 10 * 60_000,
    retry: (count, error) => count < 3 && error instanceof ApiProblem && error.isTransient,
  });
  const isNone = best.error instanceof ApiProblem && best.error.status === 404;
  const [goal] = goals;
  const points = goal === undefined ? [] : historyOf(trials, goal);
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2" description={isRunning ? t("study.bestHint") : undefined}>{t("study.best")}</Header>}>
        {best.data !== undefined && <Best best={best.data} trial={trials.find((trial) => trial.number === best.data.trial)} />}
        {isNone && <Box color="text-body-secondary">{t("study.noBest")}</Box>}
        {best.isError && !isNone && <ProblemAlert error={best.error} onRetry={() => void best.refetch()} />}
      </Container>
      {goal !== undefined && points.length > 0 && (
        <Container header={<Header variant="h2">{t("study.history")}</Header>}>
          <Chart
            label={t("study.historyLabel", { metric: goal.metric, best: formatNumber(points.at(-1)?.best, 5), count: points.length })}
            option={historyOption(points, goal, { trial: t("study.trial"), best: t("study.bestSoFar"), trials: t("study.all") })}
          />
        </Container>
      )}
    </SpaceBetween>
  );
}

function Best({ best, trial }: { best: Schemas["StudyBest"]; trial: Trial | undefined }) {
  const { t } = useTranslation("training");
  return (
    <SpaceBetween size="m">
      <KeyValuePairs
        columns={4}
        items={[
          { label: t("study.trial"), value: String(best.trial) },
          { label: t("algorithm"), value: trial?.algorithm ?? "–" },
          { label: t("size"), value: formatBytes(trial?.model_bytes) },
          { label: t("latency"), value: trial?.latency_ms == null ? "–" : `${formatNumber(trial.latency_ms, 3)} ms` },
          ...Object.entries(best.metrics).map(([name, value]) => ({ label: name, value: formatNumber(value, 5) })),
          { label: t("study.at"), value: <Time at={best.at} /> },
        ]}
      />
      <SpaceBetween size="m" direction="horizontal">
        {Object.entries(best.links).map(([name, url]) => (
          <CloudscapeLink key={name} href={url} target="_blank" rel="noreferrer">
            {name}
          </CloudscapeLink>
        ))}
      </SpaceBetween>
    </SpaceBetween>
  );
}
