/** Make a model smaller and faster, within limits. */

import FormField from "@cloudscape-design/components/form-field";
import Multiselect from "@cloudscape-design/components/multiselect";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { JobForm } from "./JobForm";
import { DeviceField, LimitFields } from "./limits";
import { NumberField } from "./compute";
import { ModelField } from "./references";
import { useJobRequest } from "./request";

const METHODS = ["optimization", "quantization", "factorization", "sparsification", "finetuning", "distillation", "trimming"] as const;

export function CompressPage() {
  const { t } = useTranslation("training");
  const [search] = useSearchParams();
  const request = useJobRequest("compress", { parent: search.get("model") ?? "" });
  const { spec, setSpec, errors } = request;
  const options = METHODS.map((value) => ({ value: value as string, label: t(`compress.methods.${value}`) }));
  const chosen = (spec["methods"] ?? []) as string[];
  return (
    <JobForm title={t("compress.title")} description={t("compress.description")} request={request} isReady={spec["parent"] !== ""} schema="CompressSpec" options={["model", "metric", "seed", "data"]}>
      <ModelField label={t("model")} value={String(spec["parent"])} onChange={(value) => setSpec({ parent: value })} error={errors["parent"]} />
      <DeviceField request={request} />
      <NumberField
        label={t("compress.maxDrop")}
        description={t("compress.maxDropHint")}
        value={spec["max_metric_drop"] as number | undefined}
        placeholder="0.01"
        onChange={(value) => setSpec({ max_metric_drop: value })}
        error={errors["max_metric_drop"]}
      />
      <LimitFields request={request} />
      <FormField label={t("compress.methodsTitle")} description={t("compress.methodsHint")} errorText={errors["methods"]}>
        <Multiselect
          options={options}
          selectedOptions={options.filter((each) => chosen.includes(each.value))}
          placeholder={t("form.allThatFit")}
          onChange={({ detail }) => setSpec({ methods: detail.selectedOptions.length > 0 ? detail.selectedOptions.map((each) => each.value) : undefined })}
        />
      </FormField>
    </JobForm>
  );
}
