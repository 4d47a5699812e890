/** A rollout: the share of the new version, to be moved by a slider, and how both versions do beside the limits. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Slider from "@cloudscape-design/components/slider";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, ifMatch } from "../../api/client";
import { useSession } from "../../app/session";
import { ProblemAlert } from "../../components/ProblemAlert";
import { formatNumber, formatSeconds, Time } from "../../components/values";
import { errorRate, meanMs, percentileMs } from "./counts";
import { type Endpoint, refOf } from "./endpoint";

type Rollout = NonNullable<Endpoint["rollout"]>;

export function RolloutPanel({ endpoint, rollout }: { endpoint: Endpoint; rollout: Rollout }) {
  const { t } = useTranslation("inference");
  const { plan } = rollout;
  return (
    <Container header={<Header variant="h2" description={t(`rollout.${plan.strategy ?? "canary"}`)}>{t("rollout.title")}</Header>}>
      <SpaceBetween size="l">
        <Share endpoint={endpoint} rollout={rollout} key={rollout.percent} />
        <KeyValuePairs
          columns={4}
          items={[
            { label: t("rollout.started"), value: <Time at={rollout.started_at} /> },
            { label: t("rollout.since"), value: <Time at={rollout.step_at} /> },
            { label: t("rollout.step"), value: plan.step_percent == null ? t("rollout.toAll") : `+ ${formatNumber(plan.step_percent)} %` },
            { label: t("rollout.every"), value: plan.every_seconds == null ? t("rollout.byHand") : formatSeconds(plan.every_seconds) },
          ]}
        />
        <Comparison endpoint={endpoint} rollout={rollout} />
      </SpaceBetween>
    </Container>
  );
}

function Share({ endpoint, rollout }: { endpoint: Endpoint; rollout: Rollout }) {
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const queries = useQueryClient();
  const [percent, setPercent] = useState(rollout.percent);
  const shifting = useMutation({
    mutationFn: () =>
      api.PATCH("/v1/endpoints/{endpoint}", {
        params: { path: { endpoint: endpoint.name }, header: ifMatch(endpoint.revision ?? 1) },
        body: { percent },
      }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["endpoints"] }),
  });
  const isShadow = rollout.plan.strategy === "shadow";
  return (
    <SpaceBetween size="s">
      <FormField
        label={t(isShadow ? "rollout.asked" : "rollout.share", { model: refOf(rollout.model), percent: formatNumber(percent) })}
        description={isShadow ? undefined : t("rollout.rest", { model: refOf(endpoint.serving), percent: formatNumber(100 - percent) })}
      >
        <Slider
          value={percent}
          min={1}
          max={99}
          disabled={!may("developer")}
          onChange={({ detail }) => setPercent(detail.value)}
          valueFormatter={(value) => `${value} %`}
          ariaLabel={t("rollout.shareLabel", { model: refOf(rollout.model) })}
        />
      </FormField>
      {may("developer") && (
        <Button disabled={percent === rollout.percent} loading={shifting.isPending} onClick={() => shifting.mutate()}>
          {t("rollout.shift")}
        </Button>
      )}
      {shifting.isError && <ProblemAlert error={shifting.error} />}
    </SpaceBetween>
  );
}

function Comparison({ endpoint, rollout }: { endpoint: Endpoint; rollout: Rollout }) {
  const { t } = useTranslation("inference");
  const { stable, candidate } = endpoint.rollout_counts ?? {};
  const guards = rollout.plan.guards;
  const share = (value: number | null | undefined) => (value == null ? "–" : `${formatNumber(value * 100, 3)} %`);
  const ms = (value: number | null | undefined) => (value == null ? "–" : `${formatNumber(value, 3)} ms`);
  const disagreement = candidate?.compared ? (candidate.disagreed ?? 0) / candidate.compared : null;
  const rows = [
    { what: t("metrics.requests"), stable: formatNumber(stable?.requests ?? 0), candidate: formatNumber(candidate?.requests ?? 0), limit: t("rollout.atLeast", { count: guards?.min_requests ?? 20 }) },
    { what: t("metrics.errorRate"), stable: share(errorRate(stable)), candidate: share(errorRate(candidate)), limit: share(guards?.max_error_rate) },
    { what: t("metrics.mean"), stable: ms(meanMs(stable)), candidate: ms(meanMs(candidate)), limit: "–" },
    { what: t("metrics.p95"), stable: ms(percentileMs(stable, 0.95)), candidate: ms(percentileMs(candidate, 0.95)), limit: ms(guards?.max_p95_ms) },
    { what: t("metrics.disagreement"), stable: "–", candidate: share(disagreement), limit: share(guards?.max_disagreement) },
  ];
  return (
    <Table
      variant="embedded"
      items={rows}
      trackBy="what"
      header={<Header variant="h3">{t("rollout.comparison")}</Header>}
      ariaLabels={{ tableLabel: t("rollout.comparison") }}
      columnDefinitions={[
        { id: "what", header: t("rollout.measure"), cell: (each) => each.what, isRowHeader: true },
        { id: "stable", header: refOf(endpoint.serving), cell: (each) => each.stable },
        { id: "candidate", header: refOf(rollout.model), cell: (each) => <Box fontWeight="bold">{each.candidate}</Box> },
        { id: "limit", header: t("rollout.limit"), cell: (each) => each.limit },
      ]}
    />
  );
}
