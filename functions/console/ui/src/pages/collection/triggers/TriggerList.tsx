/** Triggers: what a new version of a dataset, or the time, sets going. */

import Button from "@cloudscape-design/components/button";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { Link, useGo } from "../../../app/links";
import { useSession } from "../../../app/session";
import { Empty } from "../../../components/Empty";
import { type ApiPage, ResourceTable } from "../../../components/ResourceTable";
import { Status } from "../../../components/Status";
import { formatSeconds, Time } from "../../../components/values";

type Trigger = Schemas["Trigger"];

export function TriggerList() {
  const { t } = useTranslation("collection");
  const go = useGo();
  const { may } = useSession();
  const create = may("developer") && (
    <Button variant="primary" onClick={() => go("/collection/triggers/new")}>
      {t("triggers.create")}
    </Button>
  );
  return (
    <ResourceTable<Trigger>
      queryKey={["triggers"]}
      read={(cursor) => dataOf(api.GET("/v1/triggers", { params: { query: { limit: 100, cursor } } })) as Promise<ApiPage<Trigger>>}
      trackBy={(each) => each.name}
      title={t("triggers.title")}
      description={t("triggers.description")}
      actions={create}
      empty={<Empty title={t("triggers.none")} hint={t("triggers.noneHint")} action={create} />}
      everyMs={5_000}
      columns={[
        { id: "name", header: t("name"), cell: (each) => <Link to={`/collection/triggers/${each.name}`}>{each.name}</Link>, sortingField: "name", isRowHeader: true },
        { id: "status", header: t("status"), cell: (each) => <Status status={each.status} />, sortingField: "status" },
        { id: "dataset", header: t("dataset"), cell: (each) => <Link to={`/collection/datasets/${each.dataset_name}`}>{each.dataset_name}</Link> },
        { id: "job", header: t("job"), cell: (each) => each.job.spec.kind },
        { id: "when", header: t("triggers.when"), cell: (each) => each.cron ?? (each.every_seconds == null ? t("triggers.eachVersion") : t("triggers.every", { time: formatSeconds(each.every_seconds) })) },
        { id: "endpoint", header: t("triggers.deploys"), cell: (each) => (each.deploy == null ? "–" : (each.deploy.endpoint ?? t("triggers.byModel"))) },
        { id: "runs", header: t("triggers.runs"), cell: (each) => each.num_runs ?? 0 },
        { id: "fired", header: t("triggers.fired"), cell: (each) => <Time at={each.last_fired_at} />, sortingField: "last_fired_at" },
      ]}
    />
  );
}
