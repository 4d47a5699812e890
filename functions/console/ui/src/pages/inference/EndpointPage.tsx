/** One endpoint: what serves, how it does, what it would answer, and all that can be changed while it runs. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router";

import { api } from "../../api/client";
import { LinkButton, useGo } from "../../app/links";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Confirm } from "../../components/Confirm";
import { Loaded } from "../../components/Loaded";
import { PageTabs } from "../../components/PageTabs";
import { Alarms } from "./Alarms";
import { Capture } from "./Capture";
import { Drift } from "./Drift";
import { type Endpoint, refOf, useEndpoint } from "./endpoint";
import { History } from "./History";
import { LiveSettings } from "./LiveSettings";
import { Metrics } from "./Metrics";
import { Samples } from "./Samples";
import { Serving } from "./Serving";
import { Truth } from "./Truth";
import { TryIt } from "./TryIt";

export function EndpointPage() {
  const { endpoint = "" } = useParams();
  return <Loaded query={useEndpoint(endpoint)}>{(found) => <Page endpoint={found} />}</Loaded>;
}

function Page({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  const tabs = [
    { id: "serving", label: t("tab.serving"), content: <Serving endpoint={endpoint} /> },
    { id: "try", label: t("tab.try"), content: <TryIt endpoint={endpoint} key={refOf(endpoint.serving)} /> },
    { id: "metrics", label: t("tab.metrics"), content: <Metrics endpoint={endpoint} /> },
    { id: "settings", label: t("tab.settings"), content: <LiveSettings endpoint={endpoint} /> },
    { id: "drift", label: t("tab.drift"), content: <Drift endpoint={endpoint} /> },
    { id: "truth", label: t("tab.truth"), content: <Truth endpoint={endpoint} /> },
    { id: "alarms", label: t("tab.alarms"), content: <Alarms endpoint={endpoint} /> },
    { id: "capture", label: t("tab.capture"), content: <Capture endpoint={endpoint} /> },
    { id: "code", label: t("tab.code"), content: <Samples endpoint={endpoint} /> },
    { id: "history", label: t("tab.history"), content: <History endpoint={endpoint} /> },
  ];
  return (
    <ContentLayout header={<Header variant="h1" actions={<Actions endpoint={endpoint} />}>{endpoint.name}</Header>}>
      <SpaceBetween size="m">
        <Reasons endpoint={endpoint} />
        <PageTabs tabs={tabs} label={endpoint.name} />
      </SpaceBetween>
    </ContentLayout>
  );
}

/** What is wrong with it, if anything is. */
function Reasons({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  return (
    <>
      {endpoint.status === "FAILED" && (
        <Alert type="error" header={t("state.FAILED")}>
          {endpoint.status_reason}
        </Alert>
      )}
      {endpoint.alarm === "ALARM" && (
        <Alert type="warning" header={t("alarms.raised")}>
          <ul>
            {endpoint.alarm_reasons?.map((reason) => <li key={reason}>{reason}</li>)}
          </ul>
        </Alert>
      )}
    </>
  );
}

type Asked = "promote" | "rollback" | "delete";

function Actions({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const [asked, setAsked] = useState<Asked | null>(null);
  if (!may("developer")) return null;
  const canRollBack = endpoint.rollout != null || endpoint.previous != null || (endpoint.candidate != null && endpoint.serving != null);
  return (
    <>
      <SpaceBetween size="xs" direction="horizontal">
        {may("admin") && <LinkButton to={`/management/grants?kind=endpoint&of=${endpoint.name}`}>{t("grants", { ns: "common" })}</LinkButton>}
        {endpoint.rollout != null && <Button onClick={() => setAsked("promote")}>{t("promote.verb")}</Button>}
        {canRollBack && <Button onClick={() => setAsked("rollback")}>{t("rollback.verb")}</Button>}
        <LinkButton to={`/inference/deploy?endpoint=${encodeURIComponent(endpoint.name)}`} disabled={endpoint.rollout != null}>
          {t("update.verb")}
        </LinkButton>
        <Button onClick={() => setAsked("delete")}>{t("delete.verb")}</Button>
      </SpaceBetween>
      {asked !== null && <Ask asked={asked} endpoint={endpoint} onClose={() => setAsked(null)} />}
    </>
  );
}

function Ask({ asked, endpoint, onClose }: { asked: Asked; endpoint: Endpoint; onClose: () => void }) {
  const { t } = useTranslation("inference");
  const queries = useQueryClient();
  const notices = useNotices();
  const go = useGo();
  const params = { params: { path: { endpoint: endpoint.name } } };
  const act = async () => {
    if (asked === "promote") await api.POST("/v1/endpoints/{endpoint}/promote", params);
    else if (asked === "rollback") await api.POST("/v1/endpoints/{endpoint}/rollback", params);
    else await api.DELETE("/v1/endpoints/{endpoint}", params);
    notices.success(t(`${asked}.done`, { name: endpoint.name }));
    if (asked === "delete") go("/inference/endpoints");
    await queries.invalidateQueries({ queryKey: ["endpoints"] });
  };
  const target = asked === "promote" ? endpoint.rollout?.model : endpoint.rollout != null || endpoint.candidate != null ? endpoint.serving : endpoint.previous;
  return (
    <Confirm title={t(`${asked}.title`, { name: endpoint.name })} verb={t(`${asked}.verb`)} onConfirm={act} onClose={onClose}>
      {t(`${asked}.hint`, { model: refOf(target) })}
    </Confirm>
  );
}
