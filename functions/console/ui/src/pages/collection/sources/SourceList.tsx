/** Sources: where data is collected from, and how each does. */

import Button from "@cloudscape-design/components/button";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf, type Schemas } from "../../../api/client";
import { Link, useGo } from "../../../app/links";
import { useSession } from "../../../app/session";
import { Empty } from "../../../components/Empty";
import { ResourceTable } from "../../../components/ResourceTable";
import { Status } from "../../../components/Status";
import { Time } from "../../../components/values";

type Source = Schemas["Source"];

export function SourceList() {
  const { t } = useTranslation("collection");
  const go = useGo();
  const { may } = useSession();
  const [search, setSearch] = useSearchParams();
  const isShared = search.get("shared") === "true";
  const create = may("collector") && (
    <Button variant="primary" onClick={() => go("/collection/sources/new")}>
      {t("sources.create")}
    </Button>
  );
  return (
    <ResourceTable<Source>
      key={String(isShared)}
      queryKey={["sources", isShared]}
      read={(cursor) => dataOf(api.GET("/v1/sources", { params: { query: { limit: 100, cursor, shared: isShared } } }))}
      trackBy={(each) => each.id}
      title={t("sources.title")}
      description={t("sources.description")}
      actions={
        <SpaceBetween size="xs" direction="horizontal">
          <SegmentedControl
            label={t("sources.whose")}
            selectedId={isShared ? "shared" : "own"}
            options={[
              { id: "own", text: t("sources.own") },
              { id: "shared", text: t("sources.shared") },
            ]}
            onChange={({ detail }) => setSearch(detail.selectedId === "shared" ? { shared: "true" } : {})}
          />
          {create}
        </SpaceBetween>
      }
      empty={<Empty title={t("sources.none")} hint={t("sources.noneHint")} action={create} />}
      everyMs={5_000}
      columns={[
        { id: "name", header: t("name"), cell: (each) => <Link to={`/collection/sources/${isShared ? each.id : each.name}`}>{each.name}</Link>, sortingField: "name", isRowHeader: true },
        { id: "status", header: t("status"), cell: (each) => <Status status={each.running_job_id == null ? each.status : "RUNNING"}>{t(`sourceStatus.${each.running_job_id == null ? each.status : "RUNNING"}`)}</Status>, sortingField: "status" },
        { id: "type", header: t("sources.collector"), cell: (each) => t(`collector.${each.collector.type}`) },
        { id: "schedule", header: t("sources.schedule"), cell: (each) => each.policy.schedule ?? t("sources.byHand") },
        { id: "last", header: t("sources.lastRun"), cell: (each) => <Time at={each.last_run_at} />, sortingField: "last_run_at" },
        { id: "next", header: t("sources.nextRun"), cell: (each) => <Time at={each.next_run_at} />, sortingField: "next_run_at" },
        { id: "owner", header: t("sources.owner"), cell: (each) => each.owner || "–", sortingField: "owner" },
      ]}
    />
  );
}
