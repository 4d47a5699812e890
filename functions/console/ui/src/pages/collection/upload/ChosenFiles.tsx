/** Files that were chosen and not sent yet. */

import Autosuggest from "@cloudscape-design/components/autosuggest";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Select from "@cloudscape-design/components/select";
import Table from "@cloudscape-design/components/table";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";
import { cellText } from "../../../components/cells";
import { formatBytes } from "../../../components/values";
import { isName } from "../names";
import type { Mode } from "./uploads";

export interface Chosen {
  id: string;
  file: File;
  dataset: string;
  mode: Mode;
}

export function ChosenFiles({ chosen, onChange }: { chosen: Chosen[]; onChange: (chosen: Chosen[]) => void }) {
  const { t } = useTranslation("collection");
  const datasets = useQuery({
    queryKey: ["datasets", "names"],
    queryFn: async () => (await dataOf(api.GET("/v1/datasets", { params: { query: { limit: 100 } } }))).items.map((each) => each.name),
  });
  const replace = (id: string, changes: Partial<Chosen>) => onChange(chosen.map((each) => (each.id === id ? { ...each, ...changes } : each)));
  const modes = (["replace", "append"] as const).map((mode) => ({ value: mode, label: t(`writeMode.${mode}`) }));
  return (
    <Table
      variant="embedded"
      items={chosen}
      trackBy="id"
      ariaLabels={{ tableLabel: t("upload.chosen") }}
      columnDefinitions={[
        { id: "file", header: t("upload.file"), cell: (each) => cellText(each.file.name), isRowHeader: true },
        { id: "size", header: t("size"), cell: (each) => (each.file.size === 0 ? t("upload.empty") : formatBytes(each.file.size)) },
        {
          id: "dataset",
          header: t("dataset"),
          cell: (each) => (
            <FormField errorText={isName(each.dataset) ? undefined : t("nameRule")}>
              <Autosuggest
                value={each.dataset}
                options={(datasets.data ?? []).map((name) => ({ value: name }))}
                onChange={({ detail }) => replace(each.id, { dataset: detail.value })}
                enteredTextLabel={(text) => t("upload.new", { name: text })}
                ariaLabel={`${t("dataset")} ${cellText(each.file.name)}`}
              />
            </FormField>
          ),
        },
        {
          id: "mode",
          header: t("mode"),
          cell: (each) => (
            <Select
              selectedOption={modes.find((mode) => mode.value === each.mode) ?? null}
              options={modes}
              onChange={({ detail }) => replace(each.id, { mode: detail.selectedOption.value as Mode })}
              ariaLabel={`${t("mode")} ${cellText(each.file.name)}`}
            />
          ),
        },
        {
          id: "remove",
          header: t("actions"),
          cell: (each) => (
            <Button variant="inline-icon" iconName="remove" ariaLabel={`${t("remove")} ${cellText(each.file.name)}`} onClick={() => onChange(chosen.filter(({ id }) => id !== each.id))} />
          ),
        },
      ]}
    />
  );
}
