/** Curves of one or several jobs, a picture for each metric. */

import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Chart } from "../../../components/Chart";
import type { CurveGroup } from "./curves";

export function Curves({ groups, empty }: { groups: readonly CurveGroup[]; empty: string }) {
  if (groups.length === 0) return <Box color="text-body-secondary">{empty}</Box>;
  const half = { default: 12, s: 6 };
  return (
    <Grid gridDefinition={groups.map(() => ({ colspan: groups.length === 1 ? 12 : half }))}>
      {groups.map((group) => (
        <CurveChart key={group.metric} group={group} />
      ))}
    </Grid>
  );
}

function CurveChart({ group }: { group: CurveGroup }) {
  const { t } = useTranslation("training");
  const option = useMemo(
    () => ({
      grid: { left: 8, right: 24, top: 40, bottom: 40, containLabel: true },
      legend: { type: "scroll", top: 0 },
      xAxis: { type: "value", name: t("curves.step"), nameLocation: "middle", nameGap: 26, min: "dataMin", max: "dataMax", minInterval: 1 },
      yAxis: { type: "value", scale: true },
      dataZoom: [{ type: "inside", filterMode: "none" }],
      series: group.curves.map((curve) => ({
        type: "line",
        name: curve.name,
        data: curve.points,
        sampling: "minmax",
        showSymbol: curve.points.length === 1,
        emphasis: { focus: "series" },
      })),
    }),
    [group, t],
  );
  const last = group.curves.map((curve) => `${curve.name}: ${curve.points.at(-1)?.[1] ?? "–"}`).join(", ");
  return (
    <Container header={<Header variant="h3">{group.metric}</Header>}>
      <Chart option={option} label={t("curves.label", { metric: group.metric, last })} heightPx={280} />
    </Container>
  );
}
