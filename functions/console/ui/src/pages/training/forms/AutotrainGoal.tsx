/** The wizard's step about what the model is to be good at. */

import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Multiselect from "@cloudscape-design/components/multiselect";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tiles from "@cloudscape-design/components/tiles";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";
import type { JobRequest } from "./request";

const PRESETS = ["fast", "balanced", "best", "small"] as const;
export const METRICS = [
  "roc_auc",
  "accuracy",
  "f1",
  "log_loss",
  "rmse",
  "mae",
  "r2",
  "f1_micro",
  "subset_accuracy",
  "hamming_loss",
  "average_precision",
  "scaled_mse",
  "scaled_mae",
] as const;

export function AutotrainGoal({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const { spec, setSpec, errors } = request;
  return (
    <Container>
      <SpaceBetween size="l">
        <FormField label={t("autotrain.preset")} errorText={errors["preset"]} stretch>
          <Tiles
            value={String(spec["preset"])}
            columns={4}
            ariaLabel={t("autotrain.preset")}
            items={PRESETS.map((value) => ({ value, label: t(`autotrain.presets.${value}`), description: t(`autotrain.presetHints.${value}`) }))}
            onChange={({ detail }) => setSpec({ preset: detail.value })}
          />
        </FormField>
        <MetricField request={request} />
        <AlgorithmsField request={request} />
        <Checkbox checked={spec["fuse"] === true} onChange={({ detail }) => setSpec({ fuse: detail.checked || undefined })} description={t("autotrain.fuseHint")}>
          {t("fuse.title")}
        </Checkbox>
        <Checkbox checked={spec["decompose"] === true} onChange={({ detail }) => setSpec({ decompose: detail.checked || undefined })} description={t("autotrain.decomposeHint")}>
          {t("decompose.title")}
        </Checkbox>
      </SpaceBetween>
    </Container>
  );
}

export function MetricField({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const options = [{ value: "", label: t("form.primaryMetric") }, ...METRICS.map((value) => ({ value: value as string, label: value }))];
  return (
    <FormField label={t("form.metric")} errorText={request.errors["metric"]}>
      <Select
        options={options}
        selectedOption={options.find((each) => each.value === (request.spec["metric"] ?? "")) ?? null}
        onChange={({ detail }) => request.setSpec({ metric: detail.selectedOption.value || undefined })}
      />
    </FormField>
  );
}

function AlgorithmsField({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const algorithms = useQuery({ queryKey: ["algorithms"], queryFn: () => dataOf(api.GET("/v1/algorithms")), staleTime: Infinity });
  const options = (algorithms.data?.items ?? []).map((each) => ({ value: each.name, label: each.name, description: each.description }));
  const chosen = (request.spec["algorithms"] ?? []) as string[];
  return (
    <FormField label={t("form.algorithms")} errorText={request.errors["algorithms"]}>
      <Multiselect
        options={options}
        selectedOptions={options.filter((each) => chosen.includes(each.value))}
        placeholder={t("form.allThatFitData")}
        onChange={({ detail }) => request.setSpec({ algorithms: detail.selectedOptions.length > 0 ? detail.selectedOptions.map((each) => each.value) : undefined })}
      />
    </FormField>
  );
}
