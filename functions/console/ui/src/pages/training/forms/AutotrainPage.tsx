/** From a dataset and a time to the best model: data, goal, budget, go. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Wizard, { type WizardProps } from "@cloudscape-design/components/wizard";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { useGo } from "../../../app/links";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { AutotrainGoal } from "./AutotrainGoal";
import { AutotrainReview } from "./AutotrainReview";
import { BudgetFields, ComputeFields, NumberField } from "./compute";
import { Options } from "./JobForm";
import { LimitFields } from "./limits";
import { DatasetField, TargetField, useColumnNames } from "./references";
import { type JobRequest, useJobRequest } from "./request";

const OPTIONS = ["model", "study", "validation", "test", "task", "validation_fraction", "folds", "exclude_columns", "horizon", "window", "time_column", "label_separator", "seed"] as const;
const MINUTES = 5;

export function AutotrainPage() {
  const { t } = useTranslation("training");
  const go = useGo();
  const [search] = useSearchParams();
  const request = useJobRequest("autotrain", { dataset: search.get("dataset") ?? "", target: search.get("target") ?? "", preset: "balanced" }, MINUTES);
  const [step, setStep] = useState(0);
  const [isLacking, setLacking] = useState(false);
  const hasData = request.spec["dataset"] !== "";
  const steps: WizardProps.Step[] = [
    { title: t("autotrain.data"), description: t("autotrain.description"), content: <Data request={request} isLacking={isLacking} /> },
    { title: t("autotrain.goal"), description: t("autotrain.goalHint"), content: <AutotrainGoal request={request} /> },
    { title: t("autotrain.budget"), description: t("autotrain.budgetHint"), content: <Budget request={request} /> },
    { title: t("autotrain.review"), content: <AutotrainReview request={request} onEdit={setStep} isShown={step === 3} /> },
  ];
  const move = (wanted: number) => {
    setLacking(!hasData && wanted > 0);
    if (hasData || wanted === 0) setStep(wanted);
  };
  return (
    <SpaceBetween size="m">
      {request.submit.isError && <ProblemAlert error={request.submit.error} />}
      <Wizard
        steps={steps}
        activeStepIndex={step}
        onNavigate={({ detail }) => move(detail.requestedStepIndex)}
        onCancel={() => go("/training/jobs")}
        onSubmit={() => {
          if (!request.submit.isPending) request.submit.mutate();
        }}
        isLoadingNextStep={request.submit.isPending}
        submitButtonText={t("autotrain.go")}
        allowSkipTo
        i18nStrings={{
          stepNumberLabel: (number) => t("wizard.step", { number }),
          collapsedStepsLabel: (number, count) => t("wizard.of", { number, count }),
          navigationAriaLabel: t("wizard.steps"),
          cancelButton: t("cancel", { ns: "common" }),
          previousButton: t("wizard.previous"),
          nextButton: t("wizard.next"),
          optional: t("wizard.optional"),
          skipToButtonLabel: (target) => t("wizard.skipTo", { title: target.title }),
        }}
      />
    </SpaceBetween>
  );
}

function Data({ request, isLacking }: { request: JobRequest; isLacking: boolean }) {
  const { t } = useTranslation("training");
  const { spec, setSpec, errors } = request;
  const dataset = String(spec["dataset"] ?? "");
  const columns = useColumnNames(dataset);
  return (
    <SpaceBetween size="l">
      <Container>
        <SpaceBetween size="l">
          <DatasetField
            label={t("dataset")}
            description={t("form.datasetHint")}
            value={dataset}
            onChange={(value) => setSpec({ dataset: value })}
            error={isLacking ? t("autotrain.chooseData") : errors["dataset"]}
          />
          <TargetField dataset={dataset} value={String(spec["target"] ?? "")} onChange={(value) => setSpec({ target: value })} error={errors["target"]} />
          {columns.length > 0 && (
            <Box color="text-body-secondary" variant="small">
              {t("autotrain.columns", { count: columns.length, names: columns.slice(0, 30).map((each) => each.name).join(", ") })}
            </Box>
          )}
        </SpaceBetween>
      </Container>
      <Options request={request} schema="AutotrainSpec" options={OPTIONS} />
    </SpaceBetween>
  );
}

function Budget({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const { spec, setSpec, errors } = request;
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">{t("form.budget")}</Header>}>
        <SpaceBetween size="l">
          <BudgetFields request={request} />
          <NumberField label={t("fields.num_workers")} description={t("autotrain.workersHint")} value={spec["num_workers"] as number | undefined} placeholder="1" onChange={(value) => setSpec({ num_workers: value })} error={errors["num_workers"]} />
          <NumberField label={t("fields.max_trials")} value={spec["max_trials"] as number | undefined} placeholder={t("form.noLimit")} onChange={(value) => setSpec({ max_trials: value })} error={errors["max_trials"]} />
        </SpaceBetween>
      </Container>
      <Container header={<Header variant="h2" description={t("autotrain.limitsHint")}>{t("autotrain.limits")}</Header>}>
        <LimitFields request={request} />
      </Container>
      <ExpandableSection variant="container" headerText={t("autotrain.device")} headerDescription={t("autotrain.deviceHint")}>
        <ComputeFields request={request} />
      </ExpandableSection>
      {spec["preset"] === "small" && spec["max_model_bytes"] === undefined && <Alert>{t("autotrain.smallHint")}</Alert>}
    </SpaceBetween>
  );
}
