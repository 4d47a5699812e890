/** A new trigger. */

import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../../api/client";
import { useGo } from "../../../app/links";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { isName } from "../names";
import { TriggerFields, type TriggerValues } from "./TriggerFields";

export function CreateTrigger() {
  const { t } = useTranslation("collection");
  const go = useGo();
  const queries = useQueryClient();
  const [search] = useSearchParams();
  const [key] = useState(newIdempotencyKey);
  const [name, setName] = useState("");
  const [dataset, setDataset] = useState(search.get("dataset") ?? "");
  const [values, setValues] = useState<TriggerValues>({ description: "", job: {}, every_seconds: null, cron: null, needs_passed: false, deploy: null });
  const datasets = useQuery({
    queryKey: ["datasets", "names"],
    queryFn: async () => (await dataOf(api.GET("/v1/datasets", { params: { query: { limit: 100 } } }))).items.map((each) => each.name),
  });
  const creating = useMutation({
    mutationFn: () => {
      const spec = { kind: "train", ...(values.job.spec as object) };
      const job = { ...values.job, spec: spec.kind === "script" ? spec : { ...spec, dataset } };
      return dataOf(
        api.POST("/v1/triggers", {
          params: { header: { "Idempotency-Key": key } },
          body: { ...values, name, dataset, job } as unknown as Schemas["TriggerCreate"],
        }),
      );
    },
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["triggers"] });
      go(`/collection/triggers/${made.name}`);
    },
  });
  const options = (datasets.data ?? []).map((each) => ({ value: each, label: each }));
  return (
    <ContentLayout header={<Header variant="h1">{t("triggers.create")}</Header>}>
      <form onSubmit={(event) => (event.preventDefault(), creating.mutate())}>
        <Form
          actions={
            <SpaceBetween size="xs" direction="horizontal">
              <Button formAction="none" onClick={() => go("/collection/triggers")}>
                {t("common:cancel")}
              </Button>
              <Button variant="primary" disabled={!isName(name) || dataset === ""} loading={creating.isPending}>
                {t("common:create")}
              </Button>
            </SpaceBetween>
          }
        >
          <SpaceBetween size="l">
            {creating.isError && <ProblemAlert error={creating.error} />}
            <Container header={<Header variant="h2">{t("about")}</Header>}>
              <SpaceBetween size="m">
                <FormField label={t("name")} constraintText={t("nameRule")} errorText={name !== "" && !isName(name) ? t("nameRule") : undefined}>
                  <Input value={name} onChange={({ detail }) => setName(detail.value)} />
                </FormField>
                <FormField label={t("dataset")}>
                  <Select options={options} selectedOption={dataset === "" ? null : { value: dataset, label: dataset }} onChange={({ detail }) => setDataset(detail.selectedOption.value ?? "")} filteringType="auto" />
                </FormField>
              </SpaceBetween>
            </Container>
            <TriggerFields dataset={dataset} values={values} onChange={(changes) => setValues((present) => ({ ...present, ...changes }))} />
          </SpaceBetween>
        </Form>
      </form>
    </ContentLayout>
  );
}
