/** Live parameters: drawn from the API's contract, in force within seconds, each former version can be brought back. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Form from "@cloudscape-design/components/form";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, ifMatch, type Schemas } from "../../api/client";
import { contract } from "../../api/contract";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { changesOf } from "../../components/changes";
import { ProblemAlert } from "../../components/ProblemAlert";
import { SchemaForm } from "../../components/SchemaForm";
import type { Endpoint } from "./endpoint";

type Settings = Schemas["EndpointSettings"];
type Change = Schemas["EndpointSettingsChange"];

const SCHEMA = contract("EndpointSettings");

export function LiveSettings({ endpoint }: { endpoint: Endpoint }) {
  const present = endpoint.settings as Settings;
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const queries = useQueryClient();
  const notices = useNotices();
  // What the form was filled from: the endpoint is read again and again.
  const [base, setBase] = useState({ settings: present, revision: endpoint.revision ?? 1 });
  const [value, setValue] = useState<Settings>(present);
  const changes = changesOf(base.settings, value) as Change;
  const isTouched = Object.keys(changes).length > 0;
  if (!isTouched && base.settings.version !== present.version) fill(endpoint);
  function fill(from: Endpoint) {
    setBase({ settings: from.settings as Settings, revision: from.revision ?? 1 });
    setValue(from.settings as Settings);
  }
  const path = { endpoint: endpoint.name };
  const take = (answer: { data?: Endpoint }) => {
    if (answer.data === undefined) return;
    queries.setQueryData(["endpoints", endpoint.name], answer.data);
    void queries.invalidateQueries({ queryKey: ["endpoints"] });
    fill(answer.data);
    notices.success(t("settings.saved", { version: answer.data.settings?.version }));
  };
  const saving = useMutation({
    // A step of a rollout is no conflict with somebody's settings.
    mutationFn: () => {
      const revision = base.settings.version === present.version ? (endpoint.revision ?? 1) : base.revision;
      return api.PATCH("/v1/endpoints/{endpoint}", { params: { path, header: ifMatch(revision) }, body: { settings: changes } });
    },
    onSuccess: take,
  });
  const reverting = useMutation({
    mutationFn: () => api.POST("/v1/endpoints/{endpoint}/revert", { params: { path }, body: {} }),
    onSuccess: take,
  });
  const error = saving.error ?? reverting.error;
  const reload = async () => {
    await queries.refetchQueries({ queryKey: ["endpoints", endpoint.name], exact: true });
    const found = queries.getQueryData<Endpoint>(["endpoints", endpoint.name]);
    if (found !== undefined) fill(found);
    saving.reset();
  };
  return (
    <form onSubmit={(event) => (event.preventDefault(), saving.mutate())}>
      <Form
        actions={
          may("developer") && (
            <SpaceBetween size="xs" direction="horizontal">
              <Button formAction="none" disabled={(present.version ?? 1) < 2} loading={reverting.isPending} onClick={() => reverting.mutate()}>
                {t("settings.revert")}
              </Button>
              <Button formAction="none" disabled={!isTouched} onClick={() => fill(endpoint)}>
                {t("settings.discard")}
              </Button>
              <Button variant="primary" disabled={!isTouched} loading={saving.isPending}>
                {t("save", { ns: "common" })}
              </Button>
            </SpaceBetween>
          )
        }
      >
        <SpaceBetween size="m">
          <Container header={<Header variant="h2" description={t("settings.hint")}>{t("settings.title")}</Header>}>
            <SpaceBetween size="m">
              <Box color="text-body-secondary">{t("settings.version", { version: present.version })}</Box>
              <SchemaForm
                schema={SCHEMA}
                value={value as Record<string, unknown>}
                onChange={(next) => setValue(next as Settings)}
                labelOf={(name, each) => t([`setting.${name.replaceAll(".", "_")}`], { defaultValue: each.title ?? name })}
                without={["version"]}
                disabled={!may("developer")}
              />
            </SpaceBetween>
          </Container>
          {error !== null && <ProblemAlert error={error} onRetry={() => void reload()} />}
        </SpaceBetween>
      </Form>
    </form>
  );
}
