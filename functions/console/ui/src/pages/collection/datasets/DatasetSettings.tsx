/** How files become versions of a dataset, what it is for, and its end. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, ifMatch, type Schemas } from "../../../api/client";
import { useSchemas, schemaOf } from "../../../api/schemas";
import { useGo } from "../../../app/links";
import { useNotices } from "../../../app/notices";
import { useSession } from "../../../app/session";
import { Confirm } from "../../../components/Confirm";
import { Loaded } from "../../../components/Loaded";
import { SchemaForm } from "../../../components/SchemaForm";
import { SaveProblem } from "../SaveProblem";
import { useEditing } from "../editing";

type Dataset = Schemas["Dataset"];

export function DatasetSettings({ dataset }: { dataset: Dataset }) {
  const { t } = useTranslation("collection");
  const go = useGo();
  const notices = useNotices();
  const { may } = useSession();
  const queries = useQueryClient();
  const schemas = useSchemas();
  const [isLeaving, setLeaving] = useState(false);
  const isLocked = !may("developer");
  const path = { dataset: dataset.name };
  const editing = useEditing({
    current: dataset,
    fieldsOf: (each) => ({ description: each.description ?? "", target: each.target ?? "", policy: each.policy ?? {} }),
    save: ({ description, target, policy }, revision) =>
      dataOf(
        api.PATCH("/v1/datasets/{dataset}", {
          params: { path, header: ifMatch(revision) },
          body: { description, target: target || null, policy },
        }),
      ),
    read: () => dataOf(api.GET("/v1/datasets/{dataset}", { params: { path: { dataset: dataset.name } } })),
    onSaved: (made) => {
      queries.setQueryData(["datasets", dataset.name], made);
      notices.success(t("saved"));
    },
  });
  const { fields, set } = editing;
  return (
    <SpaceBetween size="l">
      <form onSubmit={(event) => (event.preventDefault(), editing.submit())}>
        <Form
          actions={
            !isLocked && (
              <Button variant="primary" loading={editing.saving.isPending} disabled={!editing.isChanged}>
                {t("common:save")}
              </Button>
            )
          }
          errorText={undefined}
        >
          <SpaceBetween size="l">
            {editing.saving.isError && <SaveProblem error={editing.saving.error} onLoadTheirs={editing.loadTheirs} />}
            <Container header={<Header variant="h2">{t("about")}</Header>}>
              <SpaceBetween size="m">
                <FormField label={t("description")}>
                  <Input value={fields.description} disabled={isLocked} onChange={({ detail }) => set({ description: detail.value })} />
                </FormField>
                <FormField label={t("target")} description={t("targetHint")}>
                  <Input value={fields.target} disabled={isLocked} onChange={({ detail }) => set({ target: detail.value })} />
                </FormField>
              </SpaceBetween>
            </Container>
            <Container header={<Header variant="h2" description={t("policyHint")}>{t("policy")}</Header>}>
              <Loaded query={schemas}>
                {(found) => (
                  <SchemaForm
                    schema={schemaOf(found, "DatasetPolicy")}
                    value={fields.policy as Record<string, unknown>}
                    disabled={isLocked}
                    onChange={(policy) => set({ policy: policy as Schemas["DatasetPolicy"] })}
                  />
                )}
              </Loaded>
            </Container>
          </SpaceBetween>
        </Form>
      </form>
      {!isLocked && (
        <Container header={<Header variant="h2" actions={<Button onClick={() => setLeaving(true)}>{t("common:delete")}</Button>} description={t("datasets.deleteHint")}>{t("datasets.delete")}</Header>} />
      )}
      {isLeaving && (
        <Confirm
          title={t("datasets.delete")}
          verb={t("common:delete")}
          onClose={() => setLeaving(false)}
          onConfirm={async () => {
            await api.DELETE("/v1/datasets/{dataset}", { params: { path } });
            queries.removeQueries({ queryKey: ["datasets", dataset.name] });
            await queries.invalidateQueries({ queryKey: ["datasets", "pages"] });
            notices.success(t("datasets.deleted", { name: dataset.name }));
            go("/collection/datasets");
          }}
        >
          <Alert type="warning">{t("datasets.deleteHint")}</Alert>
        </Confirm>
      )}
    </SpaceBetween>
  );
}
