/** A model's report, drawn from its report.json and card.json: all that the HTML page shows, in the console's own way. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";
import { Chart } from "../Chart";
import { formatNumber } from "../values";
import { barsOption, confusionOption, linesOption } from "./options";
import { ClassTable, ExampleTable, MetricTable, SliceTable } from "./tables";

type ReportData = Schemas["ModelReport"];
type Card = Schemas["Card"];

const MAX_BARS = 20;

export function Report({ report, card }: { report: ReportData | null; card: Card }) {
  const { t } = useTranslation("models");
  const [evaluation] = card.evaluations;
  const matrix = evaluation?.confusion_matrix;
  const importances = card.importances.slice(0, MAX_BARS);
  return (
    <SpaceBetween size="l">
      <Warnings warnings={card.warnings} />
      <MetricTable evaluations={card.evaluations} />
      <Pictures>
        {report !== null && curvesOf(report).map(([metric, curves]) => (
          <Picture key={metric} title={t("report.curve", { metric })} option={linesOption(curves, { x: t("report.step"), y: metric })} />
        ))}
        {matrix != null && <Picture title={t("report.confusion")} option={confusionOption(matrix, { actual: t("report.actual"), predicted: t("report.predicted") })} />}
        {importances.length > 0 && (
          <Picture
            title={t("report.importances")}
            heightPx={Math.max(240, 26 * importances.length + 60)}
            option={barsOption(importances.map(({ column, mean, low, high }) => ({ name: column, value: mean, low, high })), t("report.loss", { metric: card.primary_metric }))}
          />
        )}
        {report !== null && rates(report.roc) && <Picture title="ROC" option={linesOption(rates(report.roc) ?? [], { x: t("report.falsePositive"), y: t("report.truePositive"), isUnit: true, diagonal: true })} />}
        {report !== null && rates(report.precision_recall) && (
          <Picture title={t("report.precisionRecall")} option={linesOption(rates(report.precision_recall) ?? [], { x: t("report.recall"), y: t("report.precision"), isUnit: true })} />
        )}
        {report?.calibration != null && (
          <Picture
            title={t("report.calibration", { ece: formatNumber(report.calibration.expected_error, 3), brier: formatNumber(report.calibration.brier_score, 3) })}
            option={linesOption([{ name: report.calibration.label ?? t("report.predicted"), points: report.calibration.bins.map((bin) => [bin.mean_probability, bin.share]) }], {
              x: t("report.promised"),
              y: t("report.came"),
              isUnit: true,
              diagonal: true,
            })}
          />
        )}
        {report?.residuals != null && <Residuals residuals={report.residuals} />}
        {report?.forecasts != null && <Forecasts forecasts={report.forecasts} />}
      </Pictures>
      {report !== null && report.classes.length > 0 && <ClassTable classes={report.classes} />}
      {report?.slices != null && report.slices.items.length > 0 && <SliceTable slices={report.slices} />}
      {report !== null && report.examples.length > 0 && <ExampleTable report={report} />}
    </SpaceBetween>
  );
}

function Warnings({ warnings }: { warnings: readonly string[] }) {
  const { t } = useTranslation("models");
  if (warnings.length === 0) return null;
  return (
    <Alert type="info" header={t("report.said")}>
      <ul>
        {warnings.map((warning, index) => (
          <li key={index}>{warning}</li>
        ))}
      </ul>
    </Alert>
  );
}

/** Two beside each other where there is room. */
function Pictures({ children }: { children: ReactNode[] }) {
  const shown = children.flat().filter(Boolean);
  return (
    <Grid gridDefinition={shown.map(() => ({ colspan: { default: 12, s: 6 } }))}>
      {shown}
    </Grid>
  );
}

function Picture({ title, option, heightPx = 300 }: { title: string; option: Parameters<typeof Chart>[0]["option"]; heightPx?: number }) {
  return (
    <Container header={<Header variant="h3">{title}</Header>}>
      <Chart option={option} label={title} heightPx={heightPx} />
    </Container>
  );
}

function Residuals({ residuals }: { residuals: Schemas["Residuals"] }) {
  const { t } = useTranslation("models");
  const points = residuals.actual.map((actual, index) => [actual, residuals.predicted[index] ?? 0]);
  const all = points.flat();
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const option = {
    grid: { left: 8, right: 24, top: 16, bottom: 40, containLabel: true },
    tooltip: { renderMode: "richText" as const, trigger: "item" as const },
    xAxis: { type: "value", scale: true, name: t("report.actual"), nameLocation: "middle", nameGap: 28 },
    yAxis: { type: "value", scale: true, name: t("report.predicted"), nameLocation: "middle", nameGap: 48 },
    series: [
      { type: "scatter", data: points, symbolSize: 5, itemStyle: { opacity: 0.5 } },
      { type: "line", data: [[low, low], [high, high]], showSymbol: false, silent: true, lineStyle: { type: "dashed" } },
    ],
  };
  return <Picture title={t("report.residuals", { mean: formatNumber(residuals.mean, 3), std: formatNumber(residuals.std, 3) })} option={option} />;
}

function Forecasts({ forecasts }: { forecasts: Schemas["Forecasts"] }) {
  const { t } = useTranslation("models");
  const [window] = forecasts.windows;
  if (window === undefined) return <Box />;
  const lines = [
    { name: t("report.actual"), points: window.actual.map((value, index) => [index + 1, value] as const) },
    { name: t("report.predicted"), points: window.predicted.map((value, index) => [index + 1, value] as const) },
    { name: t("report.meanError"), points: forecasts.errors.map((value, index) => [index + 1, value] as const) },
  ];
  return <Picture title={t("report.forecast", { row: window.row })} option={linesOption(lines, { x: t("report.step"), y: "" })} />;
}

function curvesOf(report: ReportData): [string, { name: string; points: [number, number][] }[]][] {
  const groups = new Map<string, { name: string; points: [number, number][] }[]>();
  for (const curve of report.learning_curves) {
    const metric = curve.name.slice(curve.name.indexOf("/") + 1);
    const points = curve.steps.map((step, index): [number, number] => [step, curve.values[index] ?? Number.NaN]);
    groups.set(metric, [...(groups.get(metric) ?? []), { name: curve.name, points }]);
  }
  return [...groups];
}

/** The worst ten classes; null where there are no rates. */
function rates(curves: readonly Schemas["RateCurve"][]): { name: string; points: [number, number][] }[] | null {
  if (curves.length === 0) return null;
  return curves.slice(0, 10).map((curve) => ({
    name: `${curve.label} (${formatNumber(curve.area, 3)})`,
    points: curve.x.map((x, index): [number, number] => [x, curve.y[index] ?? 0]),
  }));
}
