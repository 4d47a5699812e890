/** What a source is, how it is read and what becomes of its rows. The next run follows it. */

import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf, ifMatch, type Schemas } from "../../../api/client";
import { schemaOf, useSchemas } from "../../../api/schemas";
import { useNotices } from "../../../app/notices";
import { Loaded } from "../../../components/Loaded";
import { SchemaForm } from "../../../components/SchemaForm";
import { useEditing } from "../editing";
import { SaveProblem } from "../SaveProblem";
import { COLLECTORS } from "./collectors";
import { maySource, type Source } from "./source";

type Values = Record<string, unknown>;
const ABOUT = ["description", "owner", "purpose", "consent"] as const;

export function SourceSettings({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const queries = useQueryClient();
  const schemas = useSchemas();
  const isLocked = !maySource(source, "edit");
  const editing = useEditing({
    current: source,
    fieldsOf: ({ description, owner, purpose, consent, collector, policy }) => ({
      description,
      owner,
      purpose,
      consent,
      collector: collector as unknown as Values,
      policy: policy as unknown as Values,
    }),
    save: (fields, revision) =>
      dataOf(
        api.PATCH("/v1/sources/{source}", {
          params: { path: { source: source.id }, header: ifMatch(revision) },
          body: fields as unknown as Schemas["SourceUpdate"],
        }),
      ),
    read: () => dataOf(api.GET("/v1/sources/{source}", { params: { path: { source: source.id } } })),
    onSaved: () => {
      notices.success(t("sources.saved"));
      void queries.invalidateQueries({ queryKey: ["sources"] });
    },
  });
  const { fields, set } = editing;
  const type = source.collector.type;
  return (
    <form onSubmit={(event) => (event.preventDefault(), editing.submit())}>
      <Form
        actions={
          !isLocked && (
            <Button variant="primary" disabled={!editing.isChanged} loading={editing.saving.isPending}>
              {t("common:save")}
            </Button>
          )
        }
      >
        <SpaceBetween size="l">
          {editing.saving.isError && <SaveProblem error={editing.saving.error} onLoadTheirs={editing.loadTheirs} />}
          <Container header={<Header variant="h2">{t("about")}</Header>}>
            <SpaceBetween size="m">
              {ABOUT.map((each) => (
                <FormField key={each} label={t(each === "description" ? "description" : `sources.${each}`)}>
                  <Input value={fields[each]} disabled={isLocked} onChange={({ detail }) => set({ [each]: detail.value })} />
                </FormField>
              ))}
            </SpaceBetween>
          </Container>
          <Loaded query={schemas}>
            {(found) => (
              <SpaceBetween size="l">
                <Container header={<Header variant="h2">{t("policy")}</Header>}>
                  <SchemaForm schema={schemaOf(found, "CollectionPolicy")} value={fields.policy} disabled={isLocked} onChange={(policy) => set({ policy })} />
                </Container>
                <Container header={<Header variant="h2">{t(`collector.${type}`)}</Header>}>
                  <SchemaForm schema={schemaOf(found, COLLECTORS[type], ["type"])} value={fields.collector} disabled={isLocked} onChange={(collector) => set({ collector })} />
                </Container>
              </SpaceBetween>
            )}
          </Loaded>
        </SpaceBetween>
      </Form>
    </form>
  );
}
