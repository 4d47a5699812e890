/** Who may do more with a dataset, a model or an endpoint than their role says, and what other workspaces let this one read. */

import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";
import { useSession } from "../../../app/session";
import { Empty } from "../../../components/Empty";
import { PageTabs } from "../../../components/PageTabs";
import { ResourceTable } from "../../../components/ResourceTable";
import { Time } from "../../../components/values";
import { Given } from "./Given";
import type { Grant } from "./granting";

export function GrantsPage() {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const tabs = [...(may("admin") ? [{ id: "given", label: t("grants.given"), content: <Given /> }] : []), { id: "received", label: t("grants.received"), content: <Received /> }];
  return (
    <ContentLayout header={<Header variant="h1" description={t("grants.hint")}>{t("grants.title")}</Header>}>
      <PageTabs tabs={tabs} label={t("grants.title")} />
    </ContentLayout>
  );
}

function Received() {
  const { t } = useTranslation("management");
  return (
    <ResourceTable<Grant>
      variant="container"
      queryKey={["grants", "received"]}
      read={(cursor) => dataOf(api.GET("/v1/grants", { params: { query: { cursor } } }))}
      trackBy={(each) => each.id}
      title={t("grants.received")}
      description={t("grants.receivedHint")}
      empty={<Empty title={t("grants.noneReceived")} />}
      columns={[
        { id: "kind", header: t("grants.what"), cell: (each) => t(`grants.kind.${each.kind}`), sortingField: "kind" },
        { id: "name", header: t("name"), cell: (each) => each.name, isRowHeader: true, sortingField: "name" },
        { id: "id", header: "ID", cell: (each) => <code>{each.id}</code>, width: 320 },
        { id: "workspace", header: t("grants.owner"), cell: (each) => each.workspace_id, width: 320 },
        { id: "at", header: t("at"), cell: (each) => <Time at={each.granted_at} />, sortingField: "granted_at" },
      ]}
    />
  );
}
