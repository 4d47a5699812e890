/** One source: how it does, its runs, its policy, who may do what with it. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams, useSearchParams } from "react-router";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../../api/client";
import { useGo } from "../../../app/links";
import { useNotices } from "../../../app/notices";
import { useSession } from "../../../app/session";
import { Confirm } from "../../../components/Confirm";
import { Loaded } from "../../../components/Loaded";
import { Status } from "../../../components/Status";
import { Grants } from "./Grants";
import { Health } from "./Health";
import { Revisions } from "./Revisions";
import { Runs } from "./Runs";
import { Secrets } from "./Secrets";
import { maySource, type Source, useSource } from "./source";
import { SourceSettings } from "./SourceSettings";
import { State } from "./State";
import { Webhook } from "./Webhook";

export function SourcePage() {
  const { source: name = "" } = useParams();
  const source = useSource(name);
  return <Loaded query={source}>{(found) => <Found source={found} />}</Loaded>;
}

function Found({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const { may } = useSession();
  const [search, setSearch] = useSearchParams();
  const tabs = [
    { id: "health", content: <Health source={source} /> },
    { id: "runs", content: <Runs source={source} /> },
    { id: "settings", content: <SourceSettings source={source} /> },
    ...(maySource(source, "edit") ? [{ id: "secrets", content: <Secrets source={source} /> }] : []),
    ...(source.collector.type === "webhook" && maySource(source, "edit") ? [{ id: "webhook", content: <Webhook source={source} /> }] : []),
    ...(may("admin") ? [{ id: "grants", content: <Grants source={source} /> }] : []),
    ...(maySource(source, "read") ? [{ id: "state", content: <State source={source} /> }, { id: "revisions", content: <Revisions source={source} /> }] : []),
  ];
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description={source.description}
          actions={<Actions source={source} />}
          info={<Status status={source.running_job_id == null ? source.status : "RUNNING"}>{t(`sourceStatus.${source.running_job_id == null ? source.status : "RUNNING"}`)}</Status>}
        >
          {source.name}
        </Header>
      }
    >
      <SpaceBetween size="l">
        {source.status_reason != null && <Alert type={source.status === "AUTH_FAILED" ? "error" : "warning"}>{source.status_reason}</Alert>}
        <Tabs
          activeTabId={search.get("tab") ?? "health"}
          onChange={({ detail }) => setSearch({ tab: detail.activeTabId })}
          tabs={tabs.map((tab) => ({ ...tab, label: t(`sourceTab.${tab.id}`) }))}
        />
      </SpaceBetween>
    </ContentLayout>
  );
}

function Actions({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const go = useGo();
  const notices = useNotices();
  const queries = useQueryClient();
  const [isLeaving, setLeaving] = useState(false);
  const path = { source: source.id };
  const refresh = () => queries.invalidateQueries({ queryKey: ["sources"] });
  const running = useMutation({
    mutationFn: (isFull: boolean) =>
      dataOf(
        api.POST("/v1/sources/{source}/runs", {
          params: { path, header: { "Idempotency-Key": newIdempotencyKey() } },
          body: { full_refresh: isFull } as Schemas["RunCreate"],
        }),
      ),
    onSuccess: (job) => (notices.success(t("sources.runs", { id: job.id })), refresh()),
    onError: notices.failure,
  });
  const switching = useMutation({
    mutationFn: () =>
      source.status === "ACTIVE" || source.status === "DEGRADED"
        ? dataOf(api.POST("/v1/sources/{source}/pause", { params: { path } }))
        : dataOf(api.POST("/v1/sources/{source}/resume", { params: { path } })),
    onSuccess: refresh,
    onError: notices.failure,
  });
  const isPaused = source.status === "PAUSED" || source.status === "AUTH_FAILED";
  const more = [
    ...(maySource(source, "run") ? [{ id: "full", text: t("sources.runFull"), disabled: isPaused || source.running_job_id != null }] : []),
    ...(maySource(source, "edit") ? [{ id: "delete", text: t("common:delete"), disabled: source.running_job_id != null }] : []),
  ];
  return (
    <SpaceBetween size="xs" direction="horizontal">
      {more.length > 0 && (
        <ButtonDropdown items={more} onItemClick={({ detail }) => (detail.id === "full" ? running.mutate(true) : setLeaving(true))}>
          {t("common:more")}
        </ButtonDropdown>
      )}
      {maySource(source, "edit") && (
        <Button loading={switching.isPending} onClick={() => switching.mutate()}>
          {isPaused ? t("sources.resume") : t("sources.pause")}
        </Button>
      )}
      {maySource(source, "run") && source.collector.type !== "webhook" && (
        <Button variant="primary" disabled={isPaused || source.running_job_id != null} loading={running.isPending} onClick={() => running.mutate(false)}>
          {t("sources.run")}
        </Button>
      )}
      {isLeaving && (
        <Confirm
          title={t("sources.delete", { name: source.name })}
          verb={t("common:delete")}
          onClose={() => setLeaving(false)}
          onConfirm={async () => {
            await api.DELETE("/v1/sources/{source}", { params: { path } });
            await refresh();
            go("/collection/sources");
          }}
        >
          <Alert type="warning">{t("sources.deleteHint")}</Alert>
        </Confirm>
      )}
    </SpaceBetween>
  );
}
