/** One subsystem's settings: a form that the API's schema draws, and all its former versions. */

import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";

import { api, dataOf, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Confirm } from "../../components/Confirm";
import { Loaded } from "../../components/Loaded";
import { PageTabs } from "../../components/PageTabs";
import { ResourceTable } from "../../components/ResourceTable";
import { Time } from "../../components/values";
import { Changes } from "./Changes";
import { SubsystemForm } from "./SubsystemForm";

type Detail = Schemas["SettingsDetail"];
type Version = Schemas["SettingsVersion"];

export function Subsystem() {
  const { subsystem = "" } = useParams();
  const query = useQuery({
    queryKey: ["settings", subsystem],
    queryFn: () => dataOf(api.GET("/v1/settings/{subsystem}", { params: { path: { subsystem: subsystem as Detail["subsystem"] } } })),
    refetchInterval: 5_000,
  });
  return <Loaded query={query}>{(found) => <Page detail={found as unknown as Detail} />}</Loaded>;
}

function Page({ detail }: { detail: Detail }) {
  const { t } = useTranslation("management");
  const title = t(`subsystem.${detail.subsystem}`, { defaultValue: detail.title });
  const tabs = [
    { id: "form", label: t("settings.now"), content: <SubsystemForm detail={detail} key={detail.subsystem} /> },
    { id: "history", label: t("settings.history"), content: <History detail={detail} /> },
  ];
  return (
    <ContentLayout header={<Header variant="h1" description={t(`subsystemHint.${detail.subsystem}`, { defaultValue: detail.description })}>{title}</Header>}>
      <PageTabs tabs={tabs} label={title} />
    </ContentLayout>
  );
}

function History({ detail }: { detail: Detail }) {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const [chosen, setChosen] = useState<Version | null>(null);
  const path = { subsystem: detail.subsystem };
  const queries = useQueryClient();
  const notices = useNotices();
  const reverting = useMutation({
    mutationFn: (version: number) => api.POST("/v1/settings/{subsystem}/revert", { params: { path }, body: { version } }),
    onSuccess: async (_, version) => {
      notices.success(t("settings.broughtBack", { version }));
      await queries.invalidateQueries({ queryKey: ["settings"] });
    },
  });
  return (
    <>
      <ResourceTable<Version>
        queryKey={["settings", detail.subsystem, "history"]}
        read={async (cursor) => (await dataOf(api.GET("/v1/settings/{subsystem}/history", { params: { path, query: { cursor } } }))) as unknown as { items: Version[] }}
        trackBy={(each) => each.id}
        title={t("settings.history")}
        variant="container"
        empty={t("settings.noHistory")}
        columns={[
          { id: "version", header: t("settings.version"), cell: (each) => each.version, isRowHeader: true },
          { id: "at", header: t("at"), cell: (each) => <Time at={each.created_at} /> },
          { id: "by", header: t("by"), cell: (each) => each.created_by },
          { id: "changed", header: t("changes.title"), cell: (each) => <Changes changes={each.changed} />, width: 380 },
          { id: "why", header: t("settings.why"), cell: (each) => each.reason ?? "–" },
          {
            id: "revert",
            header: t("actions"),
            cell: (each) =>
              may("admin") && each.version !== detail.revision ? (
                <Button variant="inline-link" onClick={() => setChosen(each)} ariaLabel={t("settings.bringBackVersion", { version: each.version })}>
                  {t("settings.bringBack")}
                </Button>
              ) : (
                "–"
              ),
          },
        ]}
      />
      {chosen !== null && (
        <Confirm
          title={t("settings.bringBackVersion", { version: chosen.version })}
          verb={t("settings.bringBack")}
          onConfirm={() => reverting.mutateAsync(chosen.version)}
          onClose={() => setChosen(null)}
        >
          {t("settings.bringBackHint")}
        </Confirm>
      )}
    </>
  );
}
