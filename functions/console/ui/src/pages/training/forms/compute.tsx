/** How long a job may take, what it may cost, and where it runs. */

import ColumnLayout from "@cloudscape-design/components/column-layout";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useTranslation } from "react-i18next";

import { SchemaForm } from "../../../components/SchemaForm";
import { labelOf } from "./labels";
import { type JobRequest, schemaOf } from "./request";

const OF_BATCH = ["num_nodes", "vcpus", "memory_mib", "gpus"];
const OF_SAGEMAKER = ["instance_type", "instance_count", "spot", "max_wait_seconds"];

export function BudgetFields({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const { minutes, maxCostUsd, errors } = request;
  return (
    <ColumnLayout columns={2}>
      <NumberField label={t("form.minutes")} description={t("form.minutesHint")} value={minutes} placeholder="60" onChange={request.setMinutes} error={errors["max_seconds"]} />
      <NumberField label={t("form.maxCost")} description={t("form.maxCostHint")} value={maxCostUsd} placeholder={t("form.noLimit")} onChange={request.setMaxCostUsd} error={errors["max_cost_usd"]} />
    </ColumnLayout>
  );
}

export function NumberField(props: {
  label: string;
  description?: string;
  value: number | null | undefined;
  onChange: (value: number | null) => void;
  placeholder?: string;
  error?: string;
}) {
  return (
    <FormField label={props.label} description={props.description} errorText={props.error}>
      <Input
        type="number"
        inputMode="decimal"
        step="any"
        value={props.value == null ? "" : String(props.value)}
        placeholder={props.placeholder}
        onChange={({ detail }) => props.onChange(detail.value === "" ? null : Number(detail.value))}
      />
    </FormField>
  );
}

export function ComputeFields({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const backend = request.compute["backend"] === "sagemaker" ? "sagemaker" : "batch";
  const schema = schemaOf("Compute", backend === "batch" ? OF_BATCH : OF_SAGEMAKER);
  const errors = Object.fromEntries(Object.entries(request.errors).map(([name, text]) => [name.replace("compute.", ""), text]));
  return (
    <SpaceBetween size="l">
      <SegmentedControl
        label={t("form.backend")}
        selectedId={backend}
        options={[
          { id: "batch", text: "AWS Batch" },
          { id: "sagemaker", text: "SageMaker" },
        ]}
        onChange={({ detail }) => request.setCompute(detail.selectedId === "sagemaker" ? { backend: "sagemaker" } : {})}
      />
      <SchemaForm schema={schema} value={request.compute} onChange={request.setCompute} errors={errors} labelOf={labelOf(t)} />
    </SpaceBetween>
  );
}
