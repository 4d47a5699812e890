/** What became of an endpoint, newest first; each version of its settings can be brought back. */

import Button from "@cloudscape-design/components/button";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Code } from "../../components/Code";
import { Confirm } from "../../components/Confirm";
import { ResourceTable } from "../../components/ResourceTable";
import { formatNumber, Time } from "../../components/values";
import type { Endpoint } from "./endpoint";

type Event = Schemas["EndpointEvent"];

export function History({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const [chosen, setChosen] = useState<Event | null>(null);
  const present = endpoint.settings?.version;
  const path = { endpoint: endpoint.name };
  return (
    <>
      <ResourceTable<Event>
        queryKey={["endpoints", endpoint.name, "history"]}
        read={(cursor) => dataOf(api.GET("/v1/endpoints/{endpoint}/history", { params: { path, query: { cursor } } }))}
        trackBy={(each) => each.id}
        title={t("history.title")}
        variant="container"
        everyMs={5_000}
        empty={t("history.none")}
        columns={[
          { id: "at", header: t("history.at"), cell: (each) => <Time at={each.created_at} />, sortingField: "created_at" },
          { id: "action", header: t("history.action"), cell: (each) => t(`history.actions.${each.action}`, { defaultValue: each.action }), isRowHeader: true, sortingField: "action" },
          { id: "serving", header: t("serving"), cell: (each) => each.serving ?? "–" },
          { id: "model", header: t("history.model"), cell: (each) => (each.model == null ? "–" : each.percent == null ? each.model : `${each.model}: ${formatNumber(each.percent)} %`) },
          {
            id: "settings",
            header: t("history.settings"),
            cell: (each) => (
              <Button variant="inline-link" onClick={() => setChosen(each)} ariaLabel={t("history.showSettings", { version: each.settings.version })}>
                {String(each.settings.version)}
              </Button>
            ),
          },
          { id: "by", header: t("history.by"), cell: (each) => each.created_by },
          { id: "reason", header: t("reason"), cell: (each) => each.reason ?? "–", width: 360 },
        ]}
      />
      {chosen !== null && (
        <Settings
          event={chosen}
          isPresent={chosen.settings.version === present || !may("developer")}
          endpoint={endpoint}
          onClose={() => setChosen(null)}
        />
      )}
    </>
  );
}

function Settings({ event, isPresent, endpoint, onClose }: { event: Event; isPresent: boolean; endpoint: Endpoint; onClose: () => void }) {
  const { t } = useTranslation("inference");
  const notices = useNotices();
  const queries = useQueryClient();
  const version = event.settings.version;
  const bringBack = async () => {
    if (isPresent) return;
    await api.POST("/v1/endpoints/{endpoint}/revert", { params: { path: { endpoint: endpoint.name } }, body: { version } });
    notices.success(t("settings.broughtBack", { version }));
    await queries.invalidateQueries({ queryKey: ["endpoints"] });
  };
  return (
    <Confirm title={t("settings.version", { version })} verb={t(isPresent ? "close" : "settings.bringBack")} onConfirm={bringBack} onClose={onClose}>
      <Code>{JSON.stringify(event.settings, null, 2)}</Code>
    </Confirm>
  );
}
