/** A model version becomes an endpoint, or takes over one that serves: at once, or by steps within limits. */

import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tiles from "@cloudscape-design/components/tiles";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf, ifMatch, newIdempotencyKey, type Schemas } from "../../api/client";
import { LinkButton, useGo } from "../../app/links";
import { useNotices } from "../../app/notices";
import { Loaded } from "../../components/Loaded";
import { ProblemAlert } from "../../components/ProblemAlert";
import { type Endpoint, endpointQuery, refOf } from "./endpoint";
import { PlanForm } from "./PlanForm";

type Engine = Schemas["Engine"];
type Plan = Schemas["RolloutPlan"];

export function Deploy() {
  const [search] = useSearchParams();
  const name = search.get("endpoint");
  const present = useQuery({ ...endpointQuery(name ?? ""), enabled: name !== null, refetchInterval: false });
  if (name === null) return <DeployForm present={null} model={search.get("model") ?? ""} />;
  return <Loaded query={present}>{(found) => <DeployForm present={found} model={search.get("model") ?? ""} />}</Loaded>;
}

function DeployForm({ present, model: asked }: { present: Endpoint | null; model: string }) {
  const { t } = useTranslation("inference");
  const go = useGo();
  const notices = useNotices();
  const queries = useQueryClient();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const [model, setModel] = useState(asked || (present?.serving?.model_name ?? ""));
  const [name, setName] = useState("");
  const [engine, setEngine] = useState<Engine>((present?.serving ?? present?.candidate)?.engine ?? { kind: "lambda" });
  const [plan, setPlan] = useState<Plan | null>(null);
  const deploying = useMutation({
    mutationFn: async () => {
      if (present === null) {
        const header = { "Idempotency-Key": idempotencyKey };
        return dataOf(api.POST("/v1/endpoints", { params: { header }, body: { model, name: name === "" ? null : name, engine } }));
      }
      const params = { path: { endpoint: present.name }, header: ifMatch(present.revision ?? 1) };
      return dataOf(api.PATCH("/v1/endpoints/{endpoint}", { params, body: { model, engine, rollout: plan } }));
    },
    onSuccess: (made) => {
      notices.success(t("deploy.done", { name: made.name }));
      void queries.invalidateQueries({ queryKey: ["endpoints"] });
      go(`/inference/endpoints/${made.name}`);
    },
  });
  const back = present === null ? "/inference/endpoints" : `/inference/endpoints/${present.name}`;
  const title = present === null ? t("deploy.title") : t("update.title", { name: present.name });
  return (
    <ContentLayout header={<Header variant="h1" description={t(present === null ? "deploy.hint" : "update.hint")}>{title}</Header>}>
      <form onSubmit={(event) => (event.preventDefault(), deploying.mutate())}>
        <SpaceBetween size="l">
          <Container>
            <SpaceBetween size="l">
              <ModelChoice model={model} onChange={setModel} serving={present === null ? null : refOf(present.serving)} />
              {present === null && (
                <FormField label={t("deploy.name")} description={t("deploy.nameHint")}>
                  <Input value={name} onChange={({ detail }) => setName(detail.value)} placeholder={model.split("@")[0]} />
                </FormField>
              )}
            </SpaceBetween>
          </Container>
          {present?.serving != null && <PlanForm plan={plan} onChange={setPlan} />}
          <Container header={<Header variant="h2">{t("engine")}</Header>}>
            <EngineForm engine={engine} onChange={setEngine} />
          </Container>
          {deploying.isError && <ProblemAlert error={deploying.error} />}
          <SpaceBetween size="xs" direction="horizontal">
            <LinkButton to={back}>{t("cancel", { ns: "common" })}</LinkButton>
            <Button variant="primary" loading={deploying.isPending} disabled={model === "" || deploying.isSuccess}>
              {t(present === null ? "deploy.action" : "update.verb")}
            </Button>
          </SpaceBetween>
        </SpaceBetween>
      </form>
    </ContentLayout>
  );
}

function ModelChoice({ model, onChange, serving }: { model: string; onChange: (model: string) => void; serving: string | null }) {
  const { t } = useTranslation("inference");
  const [name = "", number = ""] = model.split("@");
  const models = useQuery({ queryKey: ["models", "choice"], queryFn: () => dataOf(api.GET("/v1/models", { params: { query: { limit: 100 } } })) });
  const versions = useQuery({
    queryKey: ["models", name, "versions", "choice"],
    queryFn: () => dataOf(api.GET("/v1/models/{model}/versions", { params: { path: { model: name }, query: { limit: 100 } } })),
    enabled: name !== "",
  });
  const names = (models.data?.items ?? []).map((each) => ({ value: each.name, label: each.name, description: each.description || undefined }));
  const numbers = [
    { value: "", label: t("deploy.latest") },
    ...(versions.data?.items ?? []).map((each) => {
      const score = each.metrics[each.primary_metric];
      const what = score === undefined ? each.algorithm : `${each.algorithm}, ${each.primary_metric} ${score.toPrecision(4)}`;
      return { value: String(each.number), label: `${name}@${each.number}`, description: what };
    }),
  ];
  return (
    <SpaceBetween size="l">
      <FormField label={t("deploy.model")}>
        <Select
          options={names}
          selectedOption={names.find((each) => each.value === name) ?? (name === "" ? null : { value: name, label: name })}
          onChange={({ detail }) => onChange(detail.selectedOption.value ?? "")}
          statusType={models.isPending ? "loading" : models.isError ? "error" : "finished"}
          filteringType="auto"
          placeholder={t("deploy.choose")}
          empty={t("deploy.noModels")}
        />
      </FormField>
      <FormField label={t("version")} description={serving === null ? undefined : t("deploy.now", { model: serving })}>
        <Select
          options={numbers}
          selectedOption={numbers.find((each) => each.value === number) ?? { value: number, label: model }}
          onChange={({ detail }) => onChange(detail.selectedOption.value ? `${name}@${detail.selectedOption.value}` : name)}
          disabled={name === ""}
          filteringType="auto"
        />
      </FormField>
    </SpaceBetween>
  );
}

function EngineForm({ engine, onChange }: { engine: Engine; onChange: (engine: Engine) => void }) {
  const { t } = useTranslation("inference");
  return (
    <SpaceBetween size="l">
      <Tiles
        ariaLabel={t("engine")}
        value={engine.kind ?? "lambda"}
        onChange={({ detail }) => onChange({ kind: detail.value as Engine["kind"], instance_type: null, instances: null })}
        items={(["lambda", "container", "distributed"] as const).map((kind) => ({ value: kind, label: t(`engines.${kind}`), description: t(`engines.${kind}Hint`) }))}
      />
      {engine.kind !== "lambda" && (
        <ExpandableSection headerText={t("engines.machines")} defaultExpanded={engine.instance_type != null}>
          <SpaceBetween size="m">
            <FormField label={t("engines.type")} description={t("engines.typeHint")}>
              <Input value={engine.instance_type ?? ""} placeholder="ml.c5.large" onChange={({ detail }) => onChange({ ...engine, instance_type: detail.value || null })} />
            </FormField>
            <FormField label={t("engines.count")}>
              <Input
                type="number"
                value={engine.instances == null ? "" : String(engine.instances)}
                placeholder="1"
                onChange={({ detail }) => onChange({ ...engine, instances: detail.value === "" ? null : Number(detail.value) })}
              />
            </FormField>
          </SpaceBetween>
        </ExpandableSection>
      )}
    </SpaceBetween>
  );
}
