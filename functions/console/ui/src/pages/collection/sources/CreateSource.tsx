/** A new source: what is read, by which collector, when, and what becomes of the rows. */

import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../../api/client";
import { schemaOf, useSchemas } from "../../../api/schemas";
import { useGo } from "../../../app/links";
import { Loaded } from "../../../components/Loaded";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { SchemaForm } from "../../../components/SchemaForm";
import { isName } from "../names";
import { COLLECTORS, type CollectorType } from "./collectors";

type Values = Record<string, unknown>;
const ABOUT = ["description", "owner", "purpose", "consent"] as const;

export function CreateSource() {
  const { t } = useTranslation("collection");
  const go = useGo();
  const queries = useQueryClient();
  const schemas = useSchemas();
  const [key] = useState(newIdempotencyKey);
  const [name, setName] = useState("");
  const [about, setAbout] = useState<Partial<Record<(typeof ABOUT)[number], string>>>({});
  const [type, setType] = useState<CollectorType>("files");
  const [configs, setConfigs] = useState<Partial<Record<CollectorType, Values>>>({});
  const [policy, setPolicy] = useState<Values>({});
  const creating = useMutation({
    mutationFn: () =>
      dataOf(
        api.POST("/v1/sources", {
          params: { header: { "Idempotency-Key": key } },
          body: { name, ...about, collector: { ...configs[type], type }, policy } as unknown as Schemas["SourceCreate"],
        }),
      ),
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["sources"] });
      go(`/collection/sources/${made.name}`);
    },
  });
  const types = (Object.keys(COLLECTORS) as CollectorType[]).map((each) => ({ value: each, label: t(`collector.${each}`), description: t(`collectorHint.${each}`) }));
  return (
    <ContentLayout header={<Header variant="h1">{t("sources.create")}</Header>}>
      <form onSubmit={(event) => (event.preventDefault(), creating.mutate())}>
        <Form
          actions={
            <SpaceBetween size="xs" direction="horizontal">
              <Button formAction="none" onClick={() => go("/collection/sources")}>
                {t("common:cancel")}
              </Button>
              <Button variant="primary" disabled={!isName(name)} loading={creating.isPending}>
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
                {ABOUT.map((each) => (
                  <FormField key={each} label={t(each === "description" ? "description" : `sources.${each}`)} description={each === "description" ? undefined : t(`sources.${each}Hint`)}>
                    <Input value={about[each] ?? ""} onChange={({ detail }) => setAbout({ ...about, [each]: detail.value })} />
                  </FormField>
                ))}
              </SpaceBetween>
            </Container>
            <Container header={<Header variant="h2" description={t("sources.secretsLater")}>{t("sources.collector")}</Header>}>
              <SpaceBetween size="m">
                <FormField label={t("columnType")}>
                  <Select options={types} selectedOption={types.find((each) => each.value === type) ?? null} onChange={({ detail }) => setType(detail.selectedOption.value as CollectorType)} />
                </FormField>
                <Loaded query={schemas}>
                  {(found) => <SchemaForm key={type} schema={schemaOf(found, COLLECTORS[type], ["type"])} value={configs[type] ?? {}} onChange={(next) => setConfigs({ ...configs, [type]: next })} />}
                </Loaded>
              </SpaceBetween>
            </Container>
            <ExpandableSection variant="container" headerText={t("policy")} headerDescription={t("sources.policyHint")}>
              <Loaded query={schemas}>{(found) => <SchemaForm schema={schemaOf(found, "CollectionPolicy")} value={policy} onChange={setPolicy} />}</Loaded>
            </ExpandableSection>
          </SpaceBetween>
        </Form>
      </form>
    </ContentLayout>
  );
}
