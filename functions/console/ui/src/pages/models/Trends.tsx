/** Metrics from version to version, and score over size. */

import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { EChartsCoreOption } from "echarts/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { useGo } from "../../app/links";
import { Chart } from "../../components/Chart";
import { linesOption, paretoOption } from "../../components/report/options";
import { markPareto } from "../../components/report/pareto";
import { isLowerBetter } from "../training/job/metrics";
import { metricsOf, type ModelVersion } from "./versions";

const KB = 1000;

export function Trends({ versions }: { versions: readonly ModelVersion[] }) {
  const { t } = useTranslation("models");
  const go = useGo();
  const names = [...new Set(versions.flatMap((version) => metricsOf(version).map(([name]) => name)))];
  const [asked, setAsked] = useState<string | null>(null);
  const metric = asked ?? versions.at(-1)?.primary_metric ?? names[0];
  const measured = versions.filter((version) => metric !== undefined && version.metrics[metric] !== undefined);
  if (metric === undefined || measured.length === 0) return <Box color="text-body-secondary">{t("trends.empty")}</Box>;
  const scoreOf = (version: ModelVersion) => version.metrics[metric] ?? 0;
  const sign = isLowerBetter(metric) ? 1 : -1;
  const paretoOf = (costOf: (version: ModelVersion) => number | null | undefined, cost: string): EChartsCoreOption => {
    const known = measured.flatMap((version) => {
      const value = costOf(version);
      return value == null ? [] : [{ version, value }];
    });
    const marks = markPareto(known.map((each) => [sign * scoreOf(each.version), each.value]));
    const candidates = known.map(({ version, value }, index) => ({
      name: `${version.model_name}@${version.number} (${version.algorithm})`,
      score: scoreOf(version),
      cost: value,
      isPareto: marks[index] ?? false,
      isChosen: version.endpoints.length > 0,
    }));
    return paretoOption(candidates, { cost, score: metric, pareto: t("trends.front"), others: t("trends.others"), chosen: t("trends.served") });
  };
  const options = names.map((name) => ({ value: name, label: name }));
  const follow = (event: { name: string }) => {
    const number = /@(\d+)/.exec(event.name)?.[1];
    if (number !== undefined) go(`/models/${versions[0]?.model_name}/versions/${number}`);
  };
  return (
    <SpaceBetween size="l">
      <Container
        header={
          <Header variant="h2" actions={<Select ariaLabel={t("metric")} options={options} selectedOption={options.find((each) => each.value === metric) ?? null} onChange={({ detail }) => setAsked(detail.selectedOption.value ?? null)} />}>
            {t("trends.over")}
          </Header>
        }
      >
        <Chart label={t("trends.label", { metric, count: measured.length })} option={linesOption([{ name: metric, points: measured.map((version) => [version.number, scoreOf(version)]) }], { x: t("version"), y: metric })} />
      </Container>
      <Grid gridDefinition={[{ colspan: { default: 12, s: 6 } }, { colspan: { default: 12, s: 6 } }]}>
        <Container fitHeight header={<Header variant="h2">{t("trends.size", { metric })}</Header>}>
          <Chart label={t("trends.size", { metric })} option={paretoOf((version) => version.model_bytes / KB, "kB")} onClick={follow} />
        </Container>
        <Container fitHeight header={<Header variant="h2">{t("trends.latency", { metric })}</Header>}>
          <Chart label={t("trends.latency", { metric })} option={paretoOf((version) => version.latency_ms, "ms")} onClick={follow} />
        </Container>
      </Grid>
    </SpaceBetween>
  );
}
