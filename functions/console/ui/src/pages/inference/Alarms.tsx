/** Limits that raise an alarm, and whether one is raised. */

import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { contract } from "../../api/contract";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Loaded } from "../../components/Loaded";
import { ProblemAlert } from "../../components/ProblemAlert";
import { SchemaForm } from "../../components/SchemaForm";
import { Status } from "../../components/Status";
import { Time } from "../../components/values";
import type { Endpoint } from "./endpoint";

type Watch = Schemas["EndpointWatch"];
type Limits = Schemas["AlarmLimits"];

const SCHEMA = contract("AlarmLimits");

export function watchQuery(endpoint: string) {
  return queryOptions({
    queryKey: ["endpoints", endpoint, "watch"],
    queryFn: () => dataOf(api.GET("/v1/endpoints/{endpoint}/alarms", { params: { path: { endpoint } } })),
    refetchInterval: 10_000,
  });
}

export function Alarms({ endpoint }: { endpoint: Endpoint }) {
  const watch = useQuery(watchQuery(endpoint.name));
  return (
    <Loaded query={watch}>
      {(found) => (
        <SpaceBetween size="l">
          <Present watch={found} />
          <LimitsForm endpoint={endpoint} watch={found} />
        </SpaceBetween>
      )}
    </Loaded>
  );
}

function Present({ watch }: { watch: Watch }) {
  const { t } = useTranslation("inference");
  return (
    <Container>
      <KeyValuePairs
        columns={3}
        items={[
          { label: t("alarm"), value: <Status status={watch.status ?? "OFF"}>{t(`alarms.${watch.status ?? "OFF"}`)}</Status> },
          { label: t("alarms.since"), value: <Time at={watch.since} /> },
          { label: t("alarms.checked"), value: <Time at={watch.checked_at} /> },
          ...((watch.reasons?.length ?? 0) > 0 ? [{ label: t("reason"), value: <ul>{watch.reasons!.map((each) => <li key={each}>{each}</li>)}</ul> }] : []),
        ]}
      />
    </Container>
  );
}

function LimitsForm({ endpoint, watch }: { endpoint: Endpoint; watch: Watch }) {
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const notices = useNotices();
  const queries = useQueryClient();
  const [limits, setLimits] = useState<Limits>(watch.limits ?? ({} as Limits));
  const saving = useMutation({
    mutationFn: (body: Limits) => api.PUT("/v1/endpoints/{endpoint}/alarms", { params: { path: { endpoint: endpoint.name } }, body }),
    onSuccess: async () => {
      notices.success(t("alarms.saved"));
      await queries.invalidateQueries({ queryKey: ["endpoints", endpoint.name] });
    },
  });
  return (
    <form onSubmit={(event) => (event.preventDefault(), saving.mutate(limits))}>
      <Container header={<Header variant="h2" description={t("alarms.hint")}>{t("alarms.title")}</Header>}>
        <SpaceBetween size="l">
          <SchemaForm
            schema={SCHEMA}
            value={limits as Record<string, unknown>}
            onChange={(next) => setLimits(next as Limits)}
            labelOf={(name, each) => t([`limit.${name}`], { defaultValue: each.title ?? name })}
            disabled={!may("developer")}
          />
          {saving.isError && <ProblemAlert error={saving.error} />}
          {may("developer") && (
            <Button variant="primary" loading={saving.isPending}>
              {t("save", { ns: "common" })}
            </Button>
          )}
        </SpaceBetween>
      </Container>
    </form>
  );
}
