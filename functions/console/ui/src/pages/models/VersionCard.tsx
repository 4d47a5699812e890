/** A version's card: what it is, where it came from and how good it is. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs, { type KeyValuePairsProps } from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";
import { Link } from "../../app/links";
import { formatBytes, formatNumber, formatSeconds, Time } from "../../components/values";
import { metricsOf } from "./versions";

export function VersionCard({ version }: { version: Schemas["ModelVersionDetail"] }) {
  const { t } = useTranslation("models");
  const { card, approval } = version;
  const check = card.export_check;
  const facts: KeyValuePairsProps.Item[] = [
    { label: t("algorithm"), value: `${card.algorithm} (${card.framework})` },
    { label: t("card.task"), value: card.task },
    { label: t("card.target"), value: card.target || "–" },
    { label: t("created"), value: <Time at={version.created_at} /> },
    { label: t("size"), value: formatBytes(version.model_bytes) },
    { label: t("latency"), value: version.latency_ms == null ? "–" : t("card.perRow", { ms: formatNumber(version.latency_ms, 3) }) },
    { label: t("card.trained"), value: formatSeconds(card.training_seconds) },
    { label: t("card.rows"), value: formatNumber(card.num_train_rows) },
    { label: t("dataset"), value: card.dataset || "–" },
    { label: t("job"), value: <Link to={`/training/jobs/${version.job_id}`}>{version.job_id}</Link> },
    { label: t("card.check"), value: check == null ? t("card.noCheck") : t("card.checked", { difference: check.max_abs_difference.toExponential(1), rows: formatNumber(check.num_rows), tolerance: check.tolerance }) },
    { label: t("card.digest"), value: <code title={version.digest}>{version.digest.slice(0, 16)}…</code> },
  ];
  return (
    <SpaceBetween size="l">
      {approval != null && (
        <Alert type={approval.decision === "approved" ? "success" : "error"} header={t(`approval.by.${approval.decision}`, { name: approval.by_name ?? approval.by })}>
          <Time at={approval.at} />
          {approval.note !== "" && <Box>{approval.note}</Box>}
        </Alert>
      )}
      <Container header={<Header variant="h2">{t("card.title")}</Header>}>
        <KeyValuePairs columns={4} items={facts} />
      </Container>
      <ColumnLayout columns={2}>
        <Container fitHeight header={<Header variant="h2">{t("report.metrics")}</Header>}>
          <KeyValuePairs columns={3} items={metricsOf(version).map(([name, value]) => ({ label: name === version.primary_metric ? `${name} ★` : name, value: formatNumber(value, 5) }))} />
        </Container>
        <Container fitHeight header={<Header variant="h2">{t("card.hyperparameters")}</Header>}>
          <KeyValuePairs columns={3} items={Object.entries(card.hyperparameters).map(([name, value]) => ({ label: name, value: tell(value) }))} />
        </Container>
      </ColumnLayout>
      <Container header={<Header variant="h2">{t("card.libraries")}</Header>}>
        <KeyValuePairs columns={4} items={Object.entries(card.versions).map(([name, value]) => ({ label: name, value }))} />
      </Container>
    </SpaceBetween>
  );
}

function tell(value: unknown): string {
  if (value === null || value === undefined || value === "") return "–";
  return typeof value === "number" ? formatNumber(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
}
