/** What mattered: parallel coordinates, importances, what a model costs, slices. */

import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import CloudscapeLink from "@cloudscape-design/components/link";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQuery } from "@tanstack/react-query";
import type { EChartsCoreOption } from "echarts/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";
import { Chart } from "../../../components/Chart";
import { readJson } from "../../../components/files";
import { barsOption, paretoOption } from "../../../components/report/options";
import { markPareto } from "../../../components/report/pareto";
import { type Goal, namesOf } from "./objectives";
import { parallelOption, plainName, sliceOption } from "./options";
import type { Study, Trial } from "./pages";

interface Props {
  study: Study;
  trials: readonly Trial[];
  goals: readonly Goal[];
  isRunning: boolean;
}

/** Of what Plotly would draw as bars. */
interface Bars {
  data: [{ x: number[]; y: string[] }];
}

const MAX_SLICES = 6;

export function StudyFigures({ study, trials, goals, isRunning }: Props) {
  const { t } = useTranslation("training");
  const [algorithm, setAlgorithm] = useState<string | null>(null);
  const figures = useFigures(study, isRunning);
  const complete = trials.filter((trial) => trial.state === "COMPLETE");
  const algorithms = [...new Set(complete.flatMap((trial) => trial.algorithm ?? []))];
  const chosen = algorithm !== null && algorithms.includes(algorithm) ? algorithm : algorithms[0];
  const own = complete.filter((trial) => chosen === undefined || trial.algorithm === chosen);
  const names = namesOf(own).filter((name) => name !== "algorithm");
  const [goal] = goals;
  if (goal === undefined || complete.length === 0) return <Box color="text-body-secondary">{t("study.noTrials")}</Box>;
  const options = algorithms.map((value) => ({ value, label: value }));
  return (
    <SpaceBetween size="l">
      <Grid gridDefinition={[{ colspan: { default: 12, s: 6 } }, { colspan: { default: 12, s: 6 } }]}>
        <Costs trials={complete} goals={goals} />
        <Importances bars={figures.data?.bars ?? null} />
      </Grid>
      <SpaceBetween size="s" direction="horizontal" alignItems="center">
        <Select ariaLabel={t("algorithm")} options={options} selectedOption={options.find((each) => each.value === chosen) ?? null} onChange={({ detail }) => setAlgorithm(detail.selectedOption.value ?? null)} />
        {figures.data?.page != null && (
          <CloudscapeLink href={figures.data.page} target="_blank" rel="noreferrer">
            {t("study.page")}
          </CloudscapeLink>
        )}
      </SpaceBetween>
      <Picture title={t("study.parallel")} option={parallelOption(own, names, goal)} heightPx={380} />
      <Grid gridDefinition={names.slice(0, MAX_SLICES).map(() => ({ colspan: { default: 12, s: 6 } }))}>
        {names.slice(0, MAX_SLICES).map((name) => (
          <Picture key={name} title={plainName(name)} option={sliceOption(own, name, goal)} heightPx={260} />
        ))}
      </Grid>
    </SpaceBetween>
  );
}

function useFigures(study: Study, isRunning: boolean) {
  return useQuery({
    queryKey: ["study", study.name, "figures"],
    queryFn: async () => {
      const found = await dataOf(api.GET("/v1/studies/{study}/figures", { params: { path: { study: study.name } } }));
      const url = found.figures["importances"];
      return { page: found.page, bars: url === undefined ? null : await readJson<Bars>(url) };
    },
    refetchInterval: isRunning ? 10_000 : 10 * 60_000,
  });
}

function Importances({ bars }: { bars: Bars | null }) {
  const { t } = useTranslation("training");
  const [plot] = bars?.data ?? [];
  if (plot === undefined) {
    return (
      <Container fitHeight header={<Header variant="h3">{t("study.importances")}</Header>}>
        <Box color="text-body-secondary">{t("study.noImportances")}</Box>
      </Container>
    );
  }
  const shown = plot.y.map((name, index) => ({ name, value: plot.x[index] ?? 0 })).sort((a, b) => b.value - a.value).slice(0, 12);
  return <Picture title={t("study.importances")} option={barsOption(shown, t("study.importance"))} />;
}

/** Of two objectives one over the other; of one the latency of the models. */
function Costs({ trials, goals }: { trials: readonly Trial[]; goals: readonly Goal[] }) {
  const { t } = useTranslation("training");
  const [goal, second] = goals;
  if (goal === undefined) return null;
  const measured = trials.flatMap((trial) => {
    const score = trial.values?.[0];
    const cost = second === undefined ? trial.latency_ms : trial.values?.[1];
    return score === undefined || cost == null ? [] : [{ name: t("study.trialOf", { number: trial.number, algorithm: trial.algorithm ?? "" }), score, cost }];
  });
  const costIsLower = second?.isLower ?? true;
  const marks = markPareto(measured.map((each) => [goal.isLower ? each.score : -each.score, costIsLower ? each.cost : -each.cost]));
  const cost = second?.metric ?? "ms";
  const title = second === undefined ? t("pareto.latency", { metric: goal.metric }) : `${goal.metric}, ${second.metric}`;
  const option = paretoOption(measured.map((each, index) => ({ ...each, isPareto: marks[index] ?? false, isChosen: false })), { cost, score: goal.metric, pareto: t("pareto.front"), others: t("pareto.others"), chosen: t("chosen") });
  return <Picture title={title} option={option} />;
}

function Picture({ title, option, heightPx = 300 }: { title: string; option: EChartsCoreOption; heightPx?: number }) {
  return (
    <Container fitHeight header={<Header variant="h3">{title}</Header>}>
      <Chart label={title} option={option} heightPx={heightPx} />
    </Container>
  );
}
