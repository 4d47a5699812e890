/** What an endpoint answered: label or number, probabilities, warnings, and what each column contributed. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";
import { Chart } from "../../components/Chart";
import { formatNumber } from "../../components/values";
import { explanationOption, forecastOption } from "./answerOptions";

type Prediction = Schemas["Prediction"];

const MAX_SHOWN = 20;
const MAX_LABELS = 10;

export function Answer({ answer, milliseconds }: { answer: Schemas["Predictions"]; milliseconds: number }) {
  const { t } = useTranslation("inference");
  const by = `${answer.model_name}@${answer.model_version}`;
  return (
    <SpaceBetween size="m">
      <Box color="text-body-secondary">{t("answer.by", { model: by, ms: formatNumber(milliseconds, 3) })}</Box>
      {(answer.warnings?.length ?? 0) > 0 && <Warnings texts={answer.warnings!} />}
      {answer.predictions.slice(0, MAX_SHOWN).map((each, index) => (
        <One key={index} prediction={each} title={answer.predictions.length === 1 ? t("answer.title") : t("answer.row", { number: index + 1 })} />
      ))}
      {answer.predictions.length > MAX_SHOWN && <Box>{t("answer.more", { count: answer.predictions.length - MAX_SHOWN })}</Box>}
    </SpaceBetween>
  );
}

function Warnings({ texts }: { texts: string[] }) {
  return (
    <Alert type="warning">
      {texts.map((text) => (
        <div key={text}>{text}</div>
      ))}
    </Alert>
  );
}

function One({ prediction, title }: { prediction: Prediction; title: string }) {
  const { t } = useTranslation("inference");
  const shares = Object.entries(prediction.probabilities ?? {}).sort((a, b) => b[1] - a[1]);
  const forecast = useMemo(() => (prediction.values == null ? null : forecastOption(prediction.values)), [prediction.values]);
  if (prediction.error != null) return <Alert type="error" header={title}>{prediction.error}</Alert>;
  return (
    <Container header={<Header variant="h2">{title}</Header>}>
      <SpaceBetween size="m">
        <Box variant="awsui-value-large">
          {prediction.label ?? prediction.labels?.join(", ") ?? (prediction.value == null ? "" : formatNumber(prediction.value, 6))}
          {prediction.labels?.length === 0 && t("answer.noLabel")}
        </Box>
        {shares.slice(0, MAX_LABELS).map(([label, share]) => (
          <ProgressBar key={label} label={label} value={share * 100} additionalInfo={`${formatNumber(share * 100, 4)} %`} variant="standalone" />
        ))}
        {forecast !== null && <Chart option={forecast} label={t("answer.forecast")} heightPx={220} />}
        {(prediction.warnings?.length ?? 0) > 0 && <Warnings texts={prediction.warnings!} />}
        {prediction.explanation != null && <Explained explanation={prediction.explanation} />}
      </SpaceBetween>
    </Container>
  );
}

function Explained({ explanation }: { explanation: Schemas["Explanation"] }) {
  const { t } = useTranslation("inference");
  const option = useMemo(() => explanationOption(explanation), [explanation]);
  const shown = option.parts;
  return (
    <SpaceBetween size="xs">
      <Header variant="h3" description={t(explanation.is_exact ? "answer.exact" : "answer.sampled")}>
        {t("answer.explains", { what: explanation.explains })}
      </Header>
      <Box>{t("answer.fromTo", { base: formatNumber(explanation.base), answer: formatNumber(explanation.answer) })}</Box>
      {shown.length === 0 && <Box color="text-body-secondary">{t("answer.isTypical")}</Box>}
      {shown.length > 0 && <Chart
        option={option.chart}
        heightPx={60 + 26 * shown.length}
        label={shown.map(({ part, value }) => `${part} ${formatNumber(value)}`).join("; ")}
      />}
    </SpaceBetween>
  );
}
