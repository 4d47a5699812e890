/** One trigger: what it did, and what it does. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Form from "@cloudscape-design/components/form";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams, useSearchParams } from "react-router";

import { api, dataOf, ifMatch, type Schemas } from "../../../api/client";
import { Link, useGo } from "../../../app/links";
import { useNotices } from "../../../app/notices";
import { useSession } from "../../../app/session";
import { Confirm } from "../../../components/Confirm";
import { Empty } from "../../../components/Empty";
import { Loaded } from "../../../components/Loaded";
import { ResourceTable } from "../../../components/ResourceTable";
import { Status } from "../../../components/Status";
import { Time } from "../../../components/values";
import { useEditing } from "../editing";
import { SaveProblem } from "../SaveProblem";
import { TriggerFields, type TriggerValues } from "./TriggerFields";

type Trigger = Schemas["Trigger"];
type Run = Schemas["TriggerRun"];

export function TriggerPage() {
  const { trigger: name = "" } = useParams();
  const trigger = useQuery({
    queryKey: ["triggers", name],
    queryFn: () => dataOf(api.GET("/v1/triggers/{trigger}", { params: { path: { trigger: name } } })) as Promise<Trigger>,
    refetchInterval: 3_000,
  });
  return <Loaded query={trigger}>{(found) => <Found trigger={found} />}</Loaded>;
}

function Found({ trigger }: { trigger: Trigger }) {
  const { t } = useTranslation("collection");
  const go = useGo();
  const notices = useNotices();
  const { may } = useSession();
  const queries = useQueryClient();
  const [search, setSearch] = useSearchParams();
  const [isLeaving, setLeaving] = useState(false);
  const path = { trigger: trigger.name };
  const refresh = () => queries.invalidateQueries({ queryKey: ["triggers"] });
  const switching = useMutation({
    mutationFn: () =>
      dataOf(
        api.PATCH("/v1/triggers/{trigger}", {
          params: { path, header: ifMatch(trigger.revision) },
          body: { status: trigger.status === "ACTIVE" ? "PAUSED" : "ACTIVE" },
        }),
      ),
    onSuccess: refresh,
    onError: notices.failure,
  });
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description={trigger.description}
          info={<Status status={trigger.status} />}
          actions={
            may("developer") && (
              <SpaceBetween size="xs" direction="horizontal">
                <Button onClick={() => setLeaving(true)}>{t("common:delete")}</Button>
                <Button loading={switching.isPending} onClick={() => switching.mutate()}>
                  {trigger.status === "ACTIVE" ? t("sources.pause") : t("sources.resume")}
                </Button>
              </SpaceBetween>
            )
          }
        >
          {trigger.name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        {trigger.status_reason != null && <Alert type="warning">{trigger.status_reason}</Alert>}
        <Tabs
          activeTabId={search.get("tab") ?? "runs"}
          onChange={({ detail }) => setSearch({ tab: detail.activeTabId })}
          tabs={[
            { id: "runs", label: t("triggers.runs"), content: <Runs trigger={trigger} /> },
            { id: "settings", label: t("tab.settings"), content: <Settings trigger={trigger} /> },
          ]}
        />
      </SpaceBetween>
      {isLeaving && (
        <Confirm
          title={t("triggers.delete", { name: trigger.name })}
          verb={t("common:delete")}
          onClose={() => setLeaving(false)}
          onConfirm={async () => {
            await api.DELETE("/v1/triggers/{trigger}", { params: { path } });
            await refresh();
            go("/collection/triggers");
          }}
        >
          {t("triggers.deleteHint")}
        </Confirm>
      )}
    </ContentLayout>
  );
}

function Runs({ trigger }: { trigger: Trigger }) {
  const { t } = useTranslation("collection");
  return (
    <ResourceTable<Run>
      variant="borderless"
      wrapLines
      queryKey={["triggers", trigger.name, "runs"]}
      read={(cursor) => dataOf(api.GET("/v1/triggers/{trigger}/runs", { params: { path: { trigger: trigger.name }, query: { limit: 50, cursor } } }))}
      trackBy={(each) => String(each.number)}
      title={t("triggers.runs")}
      everyMs={3_000}
      empty={<Empty title={t("triggers.noRuns")} hint={t("triggers.noRunsHint")} />}
      columns={[
        { id: "number", header: "#", cell: (each) => each.number, isRowHeader: true, width: 70 },
        { id: "status", header: t("status"), cell: (each) => <Status status={each.status} /> },
        { id: "version", header: t("version"), cell: (each) => <Link to={`/collection/datasets/${trigger.dataset_name}?version=${each.dataset_version}`}>{each.dataset_version}</Link> },
        { id: "job", header: t("job"), cell: (each) => <Link to={`/training/jobs/${each.job_id}`}>{each.job_id}</Link> },
        { id: "model", header: t("model"), cell: (each) => (each.model_version == null ? "–" : <Link to={`/models/${each.model_version.model_name}`}>{`${each.model_version.model_name}@${each.model_version.number}`}</Link>) },
        { id: "reason", header: t("reason"), cell: (each) => each.reason ?? "–" },
        { id: "at", header: t("created"), cell: (each) => <Time at={each.created_at} /> },
      ]}
    />
  );
}

function Settings({ trigger }: { trigger: Trigger }) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const queries = useQueryClient();
  const { may } = useSession();
  const editing = useEditing<Trigger, TriggerValues>({
    current: trigger,
    fieldsOf: (each) => ({
      description: each.description,
      job: each.job as unknown as TriggerValues["job"],
      every_seconds: each.every_seconds ?? null,
      cron: each.cron ?? null,
      needs_passed: each.needs_passed,
      deploy: (each.deploy ?? null) as TriggerValues["deploy"],
    }),
    save: (fields, revision) =>
      dataOf(
        api.PATCH("/v1/triggers/{trigger}", {
          params: { path: { trigger: trigger.name }, header: ifMatch(revision) },
          body: fields as unknown as Schemas["TriggerUpdate"],
        }),
      ) as Promise<Trigger>,
    read: () => dataOf(api.GET("/v1/triggers/{trigger}", { params: { path: { trigger: trigger.name } } })) as Promise<Trigger>,
    onSaved: () => {
      notices.success(t("saved"));
      void queries.invalidateQueries({ queryKey: ["triggers"] });
    },
  });
  return (
    <form onSubmit={(event) => (event.preventDefault(), editing.submit())}>
      <Form
        actions={
          may("developer") && (
            <Button variant="primary" disabled={!editing.isChanged} loading={editing.saving.isPending}>
              {t("common:save")}
            </Button>
          )
        }
      >
        <SpaceBetween size="l">
          {editing.saving.isError && <SaveProblem error={editing.saving.error} onLoadTheirs={editing.loadTheirs} />}
          <TriggerFields dataset={trigger.dataset_name} values={editing.fields} onChange={editing.set} disabled={!may("developer")} />
        </SpaceBetween>
      </Form>
    </form>
  );
}
