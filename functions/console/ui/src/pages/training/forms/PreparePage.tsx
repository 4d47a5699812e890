/** Make a clean dataset of another one: a recipe, step by step, tried on a sample before it is run. */

import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf, type Schemas } from "../../../api/client";
import { ProblemAlert } from "../../../components/ProblemAlert";
import type { Values } from "./body";
import { JobForm } from "./JobForm";
import { RecipePreview } from "./RecipePreview";
import { RecipeSteps } from "./RecipeSteps";
import { DatasetField } from "./references";
import { useJobRequest } from "./request";

export function PreparePage() {
  const { t } = useTranslation("training");
  const [search] = useSearchParams();
  const request = useJobRequest("prepare", { dataset: search.get("dataset") ?? "", recipe: { steps: [] } });
  const { spec, setSpec, errors } = request;
  const reference = String(spec["dataset"] ?? "");
  const [dataset = "", number] = reference.split("@");
  const { steps } = spec["recipe"] as { steps: Values[] };
  const preview = useMutation({
    mutationFn: () => {
      const body = { recipe: { steps }, ...(number === undefined ? {} : { number: Number(number) }) } as unknown as Schemas["PreviewCreate"];
      return dataOf(api.POST("/v1/datasets/{dataset}/preview", { params: { path: { dataset } }, body }));
    },
  });
  const isReady = dataset !== "" && steps.length > 0;
  const modes = (["replace", "append"] as const).map((value) => ({ value: value as string, label: t(`prepare.modes.${value}`) }));
  return (
    <JobForm title={t("prepare.title")} description={t("prepare.description")} request={request} isReady={isReady} schema="PrepareSpec" options={[]}>
      <DatasetField label={t("dataset")} value={reference} onChange={(value) => setSpec({ dataset: value })} error={errors["dataset"]} />
      <FormField label={t("prepare.output")} errorText={errors["output"]}>
        <Input value={String(spec["output"] ?? "")} onChange={({ detail }) => setSpec({ output: detail.value })} placeholder={`${dataset || "…"}-prepared`} />
      </FormField>
      <FormField label={t("prepare.mode")} errorText={errors["mode"]}>
        <Select options={modes} selectedOption={modes.find((each) => each.value === (spec["mode"] ?? "replace")) ?? null} onChange={({ detail }) => setSpec({ mode: detail.selectedOption.value })} />
      </FormField>
      <RecipeSteps steps={steps} onChange={(changed) => setSpec({ recipe: { steps: changed } })} errors={errors} />
      <SpaceBetween size="m">
        <Button formAction="none" disabled={!isReady} loading={preview.isPending} onClick={() => preview.mutate()}>
          {t("prepare.preview")}
        </Button>
        {preview.isError && <ProblemAlert error={preview.error} />}
        {preview.data !== undefined && <RecipePreview preview={preview.data} />}
      </SpaceBetween>
    </JobForm>
  );
}
