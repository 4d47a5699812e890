/** What has happened, who is told of it, where, and whether it arrived. */

import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { useSession } from "../../app/session";
import { Empty } from "../../components/Empty";
import { PageTabs } from "../../components/PageTabs";
import { ResourceTable } from "../../components/ResourceTable";
import { Time } from "../../components/values";
import { Channels } from "./Channels";
import { Deliveries } from "./Deliveries";
import { LevelBadge } from "./LevelBadge";
import { Rules } from "./Rules";

type Notification = Schemas["Notification"];

export function Notifications() {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const tabs = [{ id: "all", label: t("notifications.happened"), content: <Happened /> }];
  if (may("developer")) {
    tabs.push(
      { id: "channels", label: t("channels.title"), content: <Channels /> },
      { id: "rules", label: t("rules.title"), content: <Rules /> },
      { id: "deliveries", label: t("deliveries.title"), content: <Deliveries /> },
    );
  }
  return (
    <ContentLayout header={<Header variant="h1" description={t("notifications.hint")}>{t("notifications.title")}</Header>}>
      <PageTabs tabs={tabs} label={t("notifications.title")} />
    </ContentLayout>
  );
}

function Happened() {
  const { t } = useTranslation("management");
  return (
    <ResourceTable<Notification>
      queryKey={["notifications"]}
      read={async (cursor) => (await dataOf(api.GET("/v1/notifications", { params: { query: { cursor } } }))) as never}
      trackBy={(each) => each.id}
      title={t("notifications.happened")}
      variant="container"
      everyMs={5_000}
      empty={<Empty title={t("notifications.none")} hint={t("notifications.noneHint")} />}
      columns={[
        { id: "at", header: t("at"), cell: (each) => <Time at={each.created_at} />, sortingField: "created_at", width: 200 },
        { id: "level", header: t("logs.level"), cell: (each) => <LevelBadge level={each.level} />, width: 110 },
        { id: "title", header: t("notifications.what"), cell: (each) => each.title, isRowHeader: true, width: 360 },
        { id: "text", header: t("description"), cell: (each) => each.text || "–", width: 360 },
        { id: "type", header: t("rules.event"), cell: (each) => each.type, sortingField: "type" },
        { id: "told", header: t("notifications.told"), cell: (each) => (each.num_deliveries == null ? "–" : each.num_deliveries) },
      ]}
    />
  );
}
