/** The wizard's last step: what was chosen, and what it will take. */

import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { Code } from "../../../components/Code";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { formatSeconds } from "../../../components/values";
import { Estimate } from "./Estimate";
import type { JobRequest } from "./request";

export function AutotrainReview({ request, onEdit, isShown }: { request: JobRequest; onEdit: (step: number) => void; isShown: boolean }) {
  const { t } = useTranslation("training");
  const { body, estimate, spec, minutes, maxCostUsd } = request;
  const { mutate } = estimate;
  useEffect(() => {
    if (isShown) mutate();
  }, [isShown, body, mutate]);
  const edit = (step: number) => <Button onClick={() => onEdit(step)}>{t("wizard.edit")}</Button>;
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2" actions={edit(0)}>{t("autotrain.data")}</Header>}>
        <KeyValuePairs
          columns={2}
          items={[
            { label: t("dataset"), value: String(spec["dataset"]) },
            { label: t("form.target"), value: String(spec["target"] || t("form.targetOfDataset")) },
          ]}
        />
      </Container>
      <Container header={<Header variant="h2" actions={edit(1)}>{t("autotrain.goal")}</Header>}>
        <KeyValuePairs
          columns={3}
          items={[
            { label: t("autotrain.preset"), value: t(`autotrain.presets.${String(spec["preset"])}`) },
            { label: t("form.metric"), value: String(spec["metric"] ?? t("form.primaryMetric")) },
            { label: t("form.algorithms"), value: ((spec["algorithms"] ?? []) as string[]).join(", ") || t("form.allThatFitData") },
          ]}
        />
      </Container>
      <Container header={<Header variant="h2" actions={edit(2)}>{t("autotrain.budget")}</Header>}>
        <KeyValuePairs
          columns={3}
          items={[
            { label: t("form.time"), value: minutes === null ? t("form.default") : formatSeconds(minutes * 60) },
            { label: t("form.maxCost"), value: maxCostUsd === null ? t("form.noLimit") : `$${maxCostUsd}` },
            { label: t("fields.num_workers"), value: String(spec["num_workers"] ?? 1) },
          ]}
        />
      </Container>
      {estimate.data !== undefined && <Estimate estimate={estimate.data} />}
      {estimate.isError && <ProblemAlert error={estimate.error} onRetry={() => mutate()} />}
      <ExpandableSection headerText={t("job.request")}>
        <Code>{JSON.stringify(body, null, 2)}</Code>
      </ExpandableSection>
    </SpaceBetween>
  );
}
