/** Search for the best hyperparameters of one algorithm or of several. */

import AttributeEditor from "@cloudscape-design/components/attribute-editor";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Multiselect from "@cloudscape-design/components/multiselect";
import Select from "@cloudscape-design/components/select";
import Textarea from "@cloudscape-design/components/textarea";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf, type Schemas } from "../../../api/client";
import { METRICS } from "./AutotrainGoal";
import { NumberField } from "./compute";
import { JobForm } from "./JobForm";
import { LimitFields } from "./limits";
import { DatasetField, TargetField } from "./references";
import { type JobRequest, useJobRequest } from "./request";

type Candidate = Pick<Schemas["Candidate"], "algorithm" | "space">;
type Objective = Schemas["Objective"];

const OPTIONS = ["study", "sampler", "pruner", "num_workers", "model", "validation", "test", "task", "validation_fraction", "folds", "exclude_columns", "horizon", "window", "time_column", "seed"] as const;
const MAX_OBJECTIVES = 3;

export function SearchPage() {
  const { t } = useTranslation("training");
  const [search] = useSearchParams();
  const request = useJobRequest("search", { dataset: search.get("dataset") ?? "", target: search.get("target") ?? "", candidates: [] });
  const { spec, setSpec, errors } = request;
  const dataset = String(spec["dataset"] ?? "");
  const candidates = spec["candidates"] as Candidate[];
  return (
    <JobForm title={t("search.title")} description={t("search.description")} request={request} isReady={dataset !== "" && candidates.length > 0} schema="SearchSpec" options={OPTIONS}>
      <DatasetField label={t("dataset")} description={t("form.datasetHint")} value={dataset} onChange={(value) => setSpec({ dataset: value })} error={errors["dataset"]} />
      <TargetField dataset={dataset} value={String(spec["target"] ?? "")} onChange={(value) => setSpec({ target: value })} error={errors["target"]} />
      <Candidates request={request} />
      <Objectives request={request} />
      <NumberField label={t("fields.max_trials")} value={spec["max_trials"] as number | undefined} placeholder={t("form.noLimit")} onChange={(value) => setSpec({ max_trials: value })} error={errors["max_trials"]} />
      <LimitFields request={request} />
    </JobForm>
  );
}

function Candidates({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const algorithms = useQuery({ queryKey: ["algorithms"], queryFn: () => dataOf(api.GET("/v1/algorithms")), staleTime: Infinity });
  const candidates = request.spec["candidates"] as Candidate[];
  const options = (algorithms.data?.items ?? []).map((each) => ({ value: each.name, label: each.name, description: each.description }));
  const choose = (names: (string | undefined)[]) =>
    request.setSpec({ candidates: names.map((name) => candidates.find((each) => each.algorithm === name) ?? { algorithm: name }) });
  const setSpace = (algorithm: string, space: Candidate["space"]) =>
    request.setSpec({ candidates: candidates.map((each) => (each.algorithm === algorithm ? { algorithm, ...(space ? { space } : {}) } : each)) });
  return (
    <>
      <FormField label={t("form.algorithms")} errorText={request.errors["candidates"]}>
        <Multiselect
          options={options}
          selectedOptions={options.filter((each) => candidates.some((candidate) => candidate.algorithm === each.value))}
          placeholder={t("form.algorithm")}
          onChange={({ detail }) => choose(detail.selectedOptions.map((each) => each.value))}
        />
      </FormField>
      {candidates.map(({ algorithm }) => {
        const known = algorithms.data?.items.find((each) => each.name === algorithm);
        return (
          known && (
            <ExpandableSection key={algorithm} headerText={t("search.space", { algorithm })} headerDescription={t("search.spaceHint")}>
              <Space label={t("search.space", { algorithm })} own={known.space} onChange={(space) => setSpace(algorithm, space)} />
            </ExpandableSection>
          )
        );
      })}
    </>
  );
}

/** As JSON; as the algorithm has it until it is changed. */
function Space({ label, own, onChange }: { label: string; own: object; onChange: (space: Candidate["space"]) => void }) {
  const { t } = useTranslation("training");
  const given = JSON.stringify(own, null, 2);
  const [text, setText] = useState(given);
  const [isWrong, setWrong] = useState(false);
  return (
    <FormField label={label} errorText={isWrong ? t("search.noJson") : undefined} stretch>
      <Textarea
        rows={12}
        value={text}
        spellcheck={false}
        onChange={({ detail }) => {
          setText(detail.value);
          try {
            onChange(detail.value.trim() === given ? undefined : (JSON.parse(detail.value) as Candidate["space"]));
            setWrong(false);
          } catch {
            setWrong(true);
          }
        }}
      />
    </FormField>
  );
}

function Objectives({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const objectives = (request.spec["objectives"] ?? []) as Objective[];
  const metrics = [...METRICS, "latency_ms", "model_bytes"].map((value) => ({ value: value as string, label: value as string }));
  const directions = [
    { value: "", label: t("search.asKnown") },
    { value: "minimize", label: t("search.minimize") },
    { value: "maximize", label: t("search.maximize") },
  ];
  const set = (changed: Objective[]) => request.setSpec({ objectives: changed.length > 0 ? changed : undefined });
  const change = (index: number, values: Objective) => set(objectives.map((each, at) => (at === index ? values : each)));
  return (
    <FormField label={t("search.objectives")} description={t("search.objectivesHint")} errorText={request.errors["objectives"]} stretch>
      <AttributeEditor
        items={objectives}
        addButtonText={t("search.addObjective")}
        removeButtonText={t("form.remove")}
        disableAddButton={objectives.length >= MAX_OBJECTIVES}
        empty={t("form.primaryMetric")}
        onAddButtonClick={() => set([...objectives, { metric: "latency_ms" }])}
        onRemoveButtonClick={({ detail }) => set(objectives.filter((_, index) => index !== detail.itemIndex))}
        definition={[
          {
            label: t("form.metric"),
            control: (each: Objective, index: number) => (
              <Select options={metrics} selectedOption={metrics.find((one) => one.value === each.metric) ?? null} onChange={({ detail }) => change(index, { ...each, metric: detail.selectedOption.value })} />
            ),
          },
          {
            label: t("search.direction"),
            control: (each: Objective, index: number) => (
              <Select
                options={directions}
                selectedOption={directions.find((one) => one.value === (each.direction ?? "")) ?? null}
                onChange={({ detail }) => change(index, detail.selectedOption.value ? { ...each, direction: detail.selectedOption.value as Objective["direction"] } : { metric: each.metric })}
              />
            ),
          },
        ]}
      />
    </FormField>
  );
}
