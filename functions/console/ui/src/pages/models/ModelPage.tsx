/** One model: its versions, how their metrics went, and which of them nothing beats. */

import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams, useSearchParams } from "react-router";

import { api, dataOf, type Schemas } from "../../api/client";
import { LinkButton, useGo } from "../../app/links";
import { useSession } from "../../app/session";
import { Confirm } from "../../components/Confirm";
import { Loaded } from "../../components/Loaded";
import { EditDescription } from "./EditDescription";
import { Trends } from "./Trends";
import { useVersions } from "./versions";
import { VersionTable } from "./VersionTable";

type Model = Schemas["Model"];

export function ModelPage() {
  const { model = "" } = useParams();
  const found = useQuery({ queryKey: ["model", model], queryFn: () => dataOf(api.GET("/v1/models/{model}", { params: { path: { model } } })), refetchInterval: 10_000 });
  return <Loaded query={found}>{(data) => <Shown model={data} />}</Loaded>;
}

function Shown({ model }: { model: Model }) {
  const { t } = useTranslation("models");
  const [search, setSearch] = useSearchParams();
  const versions = useVersions(model.name);
  const tabs = [
    { id: "versions", label: t("versions.title"), content: <VersionTable model={model.name} /> },
    { id: "trends", label: t("trends.title"), content: <Loaded query={versions}>{(all) => <Trends versions={all} />}</Loaded> },
  ];
  const asked = search.get("tab");
  return (
    <ContentLayout
      header={
        <Header variant="h1" description={model.description || t("models.noDescription")} actions={<Actions model={model} />}>
          {model.name}
        </Header>
      }
    >
      <Tabs tabs={tabs} activeTabId={tabs.some((tab) => tab.id === asked) ? (asked as string) : "versions"} onChange={({ detail }) => setSearch({ tab: detail.activeTabId })} ariaLabel={model.name} />
    </ContentLayout>
  );
}

function Actions({ model }: { model: Model }) {
  const { t } = useTranslation("models");
  const go = useGo();
  const queries = useQueryClient();
  const { may } = useSession();
  const [asks, setAsks] = useState<"edit" | "delete" | null>(null);
  if (!may("developer")) return null;
  return (
    <SpaceBetween size="xs" direction="horizontal">
      {may("admin") && <LinkButton to={`/management/grants?kind=model&of=${model.name}`}>{t("grants", { ns: "common" })}</LinkButton>}
      <Button onClick={() => setAsks("edit")}>{t("edit.title")}</Button>
      <Button onClick={() => setAsks("delete")}>{t("delete", { ns: "common" })}</Button>
      {asks === "edit" && <EditDescription model={model} onClose={() => setAsks(null)} />}
      {asks === "delete" && (
        <Confirm
          title={t("models.deleteTitle", { name: model.name })}
          verb={t("delete", { ns: "common" })}
          onClose={() => setAsks(null)}
          onConfirm={async () => {
            await api.DELETE("/v1/models/{model}", { params: { path: { model: model.name } } });
            await queries.invalidateQueries({ queryKey: ["models"] });
            go("/models");
          }}
        >
          {t("models.deleteText")}
        </Confirm>
      )}
    </SpaceBetween>
  );
}
