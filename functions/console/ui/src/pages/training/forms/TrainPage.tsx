/** Train one algorithm: its hyperparameters are the form that its schema says. */

import Box from "@cloudscape-design/components/box";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Select from "@cloudscape-design/components/select";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf } from "../../../api/client";
import { type JsonSchema, SchemaForm } from "../../../components/SchemaForm";
import { type Values, withoutEmpty } from "./body";
import { JobForm } from "./JobForm";
import { DatasetField, TargetField } from "./references";
import { type JobRequest, useJobRequest } from "./request";

const OPTIONS = [
  "model",
  "validation",
  "test",
  "task",
  "validation_fraction",
  "folds",
  "refit",
  "resample",
  "exclude_columns",
  "horizon",
  "window",
  "time_column",
  "label_separator",
  "seed",
  "checkpoint_seconds",
] as const;

export function TrainPage() {
  const { t } = useTranslation("training");
  const [search] = useSearchParams();
  const request = useJobRequest("train", { dataset: search.get("dataset") ?? "", target: search.get("target") ?? "", algorithm: "" });
  const { spec, setSpec, errors } = request;
  const dataset = String(spec["dataset"] ?? "");
  return (
    <JobForm
      title={t("train.title")}
      description={t("train.description")}
      request={request}
      isReady={dataset !== "" && spec["algorithm"] !== ""}
      schema="TrainSpec"
      options={OPTIONS}
    >
      <DatasetField label={t("dataset")} description={t("form.datasetHint")} value={dataset} onChange={(value) => setSpec({ dataset: value })} error={errors["dataset"]} />
      <TargetField dataset={dataset} value={String(spec["target"] ?? "")} onChange={(value) => setSpec({ target: value })} error={errors["target"]} />
      <Algorithm request={request} />
    </JobForm>
  );
}

function Algorithm({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const { spec, setSpec, errors } = request;
  const algorithms = useQuery({ queryKey: ["algorithms"], queryFn: () => dataOf(api.GET("/v1/algorithms")), staleTime: Infinity });
  const known = algorithms.data?.items ?? [];
  const chosen = known.find((each) => each.name === spec["algorithm"]);
  const options = known.map((each) => ({ value: each.name, label: each.name, description: each.description, tags: [...each.kinds, ...each.tasks] }));
  const frameworks = (chosen?.frameworks ?? []).map((each) => ({ value: each, label: each }));
  const isAutomatic = (spec["features"] as Values | undefined)?.["default"] === "auto";
  const own = Object.entries(errors).flatMap(([name, text]) => (name.startsWith("hyperparameters.") ? [[name.slice("hyperparameters.".length), text]] : []));
  return (
    <>
      <FormField label={t("algorithm")} errorText={errors["algorithm"]}>
        <Select
          options={options}
          selectedOption={options.find((each) => each.value === spec["algorithm"]) ?? null}
          onChange={({ detail }) => setSpec({ algorithm: detail.selectedOption.value, framework: undefined, hyperparameters: undefined })}
          placeholder={t("form.algorithm")}
          statusType={algorithms.isPending ? "loading" : "finished"}
          filteringType="auto"
        />
      </FormField>
      {frameworks.length > 1 && (
        <FormField label={t("form.framework")} errorText={errors["framework"]}>
          <Select
            options={frameworks}
            selectedOption={frameworks.find((each) => each.value === (spec["framework"] ?? chosen?.frameworks[0])) ?? null}
            onChange={({ detail }) => setSpec({ framework: detail.selectedOption.value })}
          />
        </FormField>
      )}
      {chosen?.kinds.includes("table") && (
        <FormField label={t("form.features")} errorText={errors["features"]}>
          <Select
            options={[
              { value: "plain", label: t("form.featuresPlain") },
              { value: "auto", label: t("form.featuresAuto") },
            ]}
            selectedOption={isAutomatic ? { value: "auto", label: t("form.featuresAuto") } : { value: "plain", label: t("form.featuresPlain") }}
            onChange={({ detail }) => setSpec({ features: detail.selectedOption.value === "auto" ? { default: "auto" } : undefined })}
          />
        </FormField>
      )}
      {chosen !== undefined && (
        <ExpandableSection headerText={t("form.hyperparameters")} headerDescription={t("form.hyperparametersHint")} defaultExpanded={own.length > 0}>
          <Box padding={{ top: "s" }}>
            <SchemaForm
              key={chosen.name}
              schema={chosen.hyperparameters as JsonSchema}
              value={(spec["hyperparameters"] ?? {}) as Values}
              onChange={(values) => setSpec({ hyperparameters: Object.keys(withoutEmpty(values)).length > 0 ? withoutEmpty(values) : undefined })}
              errors={Object.fromEntries(own)}
            />
          </Box>
        </ExpandableSection>
      )}
    </>
  );
}
