/** Fields that name what is there: datasets, their columns, models. A version may follow: `adult@3`. */

import Autosuggest from "@cloudscape-design/components/autosuggest";
import FormField from "@cloudscape-design/components/form-field";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
  description?: string;
  error?: string;
}

const MAX_SUGGESTED = 100;

export function DatasetField({ label, value, onChange, description, error }: Props) {
  const { t } = useTranslation("training");
  const datasets = useQuery({
    queryKey: ["datasets", "suggested"],
    queryFn: () => dataOf(api.GET("/v1/datasets", { params: { query: { limit: MAX_SUGGESTED } } })),
  });
  const options = (datasets.data?.items ?? []).map((each) => ({ value: each.name, description: each.description, labelTag: each.latest_version == null ? undefined : `@${each.latest_version}` }));
  return (
    <FormField label={label} description={description} errorText={error}>
      <Autosuggest
        value={value}
        options={options}
        onChange={({ detail }) => onChange(detail.value)}
        placeholder={t("form.dataset")}
        statusType={datasets.isPending ? "loading" : datasets.isError ? "error" : "finished"}
        errorText={datasets.error?.message}
        empty={t("form.noDataset")}
        enteredTextLabel={(text) => t("form.use", { text })}
      />
    </FormField>
  );
}

/** Models, and the versions of the one that is named. */
export function ModelField({ label, value, onChange, description, error }: Props) {
  const { t } = useTranslation("training");
  const [name = ""] = value.split("@");
  const models = useQuery({
    queryKey: ["models", "suggested"],
    queryFn: () => dataOf(api.GET("/v1/models", { params: { query: { limit: MAX_SUGGESTED } } })),
  });
  const isThere = models.data?.items.some((each) => each.name === name) ?? false;
  const versions = useQuery({
    queryKey: ["models", name, "suggested"],
    queryFn: () => dataOf(api.GET("/v1/models/{model}/versions", { params: { path: { model: name }, query: { limit: 100 } } })),
    enabled: isThere,
  });
  const options = [
    ...(models.data?.items ?? []).map((each) => ({ value: each.name, description: each.description })),
    ...(versions.data?.items ?? []).map((each) => ({ value: `${name}@${each.number}`, description: `${each.algorithm}, ${each.primary_metric} ${each.metrics[each.primary_metric]?.toPrecision(5) ?? "–"}` })),
  ];
  return (
    <FormField label={label} description={description} errorText={error}>
      <Autosuggest
        value={value}
        options={options}
        onChange={({ detail }) => onChange(detail.value)}
        placeholder={t("form.model")}
        statusType={models.isPending ? "loading" : models.isError ? "error" : "finished"}
        errorText={models.error?.message}
        empty={t("form.noModel")}
        enteredTextLabel={(text) => t("form.use", { text })}
      />
    </FormField>
  );
}

/** The columns of a dataset's version that is READY. */
export function useColumnNames(reference: string): { name: string; type: string }[] {
  const [name = "", number] = reference.split("@");
  const found = useQuery({
    queryKey: ["datasets", name, number ?? "latest", "columns"],
    queryFn: async () => {
      const dataset = await dataOf(api.GET("/v1/datasets/{dataset}", { params: { path: { dataset: name } } }));
      const chosen = number === undefined ? dataset.latest_version : Number(number);
      if (chosen == null) return { columns: [], target: dataset.target };
      const version = await dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}", { params: { path: { dataset: name, number: chosen } } }));
      return { columns: version.data_schema?.columns ?? [], target: version.target };
    },
    enabled: /^[a-z0-9][a-z0-9_-]{0,62}$/.test(name),
    retry: false,
  });
  return found.data?.columns ?? [];
}

export function TargetField({ dataset, value, onChange, error }: { dataset: string; value: string; onChange: (value: string) => void; error?: string }) {
  const { t } = useTranslation("training");
  const columns = useColumnNames(dataset);
  return (
    <FormField label={t("form.target")} description={t("form.targetHint")} errorText={error}>
      <Autosuggest
        value={value}
        options={columns.map((each) => ({ value: each.name, labelTag: each.type }))}
        onChange={({ detail }) => onChange(detail.value)}
        placeholder={t("form.targetOfDataset")}
        empty={t("form.noColumn")}
        enteredTextLabel={(text) => t("form.use", { text })}
      />
    </FormField>
  );
}
