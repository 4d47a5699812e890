/** Split a task among small experts. */

import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { JobForm } from "./JobForm";
import { DeviceField, LimitFields } from "./limits";
import { DatasetField, ModelField, TargetField } from "./references";
import { useJobRequest } from "./request";

const OPTIONS = ["method", "num_experts", "num_active", "expert", "gate", "model", "metric", "validation", "test", "task", "validation_fraction", "exclude_columns", "horizon", "window", "time_column", "seed"] as const;

export function DecomposePage() {
  const { t } = useTranslation("training");
  const [search] = useSearchParams();
  const request = useJobRequest("decompose", { dataset: search.get("dataset") ?? "", target: search.get("target") ?? "", single: search.get("model") ?? "" });
  const { spec, setSpec, errors } = request;
  const dataset = String(spec["dataset"] ?? "");
  return (
    <JobForm title={t("decompose.title")} description={t("decompose.description")} request={request} isReady={dataset !== ""} schema="DecomposeSpec" options={OPTIONS}>
      <DatasetField label={t("dataset")} value={dataset} onChange={(value) => setSpec({ dataset: value })} error={errors["dataset"]} />
      <TargetField dataset={dataset} value={String(spec["target"] ?? "")} onChange={(value) => setSpec({ target: value })} error={errors["target"]} />
      <ModelField label={t("decompose.singleModel")} description={t("decompose.singleHint")} value={String(spec["single"] ?? "")} onChange={(value) => setSpec({ single: value })} error={errors["single"]} />
      <DeviceField request={request} />
      <LimitFields request={request} />
    </JobForm>
  );
}
