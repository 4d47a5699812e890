/** One version: what it is, how good it is, where it came from, and where it went. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams, useSearchParams } from "react-router";

import { api, dataOf, type Schemas } from "../../api/client";
import { hrefOf, pathOf, useGo } from "../../app/links";
import { useSession } from "../../app/session";
import { Code } from "../../components/Code";
import { Confirm } from "../../components/Confirm";
import { readJson } from "../../components/files";
import { Loaded } from "../../components/Loaded";
import { Report } from "../../components/report/Report";
import { ApprovalStatus, Decide } from "./Approval";
import { Files } from "./Files";
import { Lineage } from "./Lineage";
import { Signature } from "./Signature";
import { useEndpoints } from "./versions";
import { VersionCard } from "./VersionCard";

type Detail = Schemas["ModelVersionDetail"];

/** The links live for a quarter of an hour. */
const LINKS_MS = 10 * 60_000;

export function VersionPage() {
  const { model = "", number = "" } = useParams();
  const version = useQuery({
    queryKey: ["model", model, "version", number],
    queryFn: () => dataOf(api.GET("/v1/models/{model}/versions/{number}", { params: { path: { model, number: Number(number) } } })),
    refetchInterval: LINKS_MS,
  });
  return <Loaded query={version}>{(found) => <Shown version={found} />}</Loaded>;
}

function Shown({ version }: { version: Detail }) {
  const { t } = useTranslation("models");
  const [search, setSearch] = useSearchParams();
  const tabs = [
    { id: "card", label: t("card.title"), content: <VersionCard version={version} /> },
    { id: "report", label: t("report.title"), content: <VersionReport version={version} /> },
    { id: "lineage", label: t("lineage.title"), content: <Lineage version={version} /> },
    { id: "signature", label: t("signature.title"), content: <Signature signature={version.signature} /> },
    { id: "files", label: t("files.title"), content: <Files version={version} /> },
    { id: "json", label: "JSON", content: <Code maxHeightPx={700}>{JSON.stringify(version.card, null, 2)}</Code> },
  ];
  const asked = search.get("tab");
  return (
    <ContentLayout
      header={
        <Header variant="h1" description={`${version.algorithm}, ${version.task}`} info={<ApprovalStatus approval={version.approval} />} actions={<Actions version={version} />}>
          {version.model_name}@{version.number}
        </Header>
      }
    >
      <Tabs tabs={tabs} activeTabId={tabs.some((tab) => tab.id === asked) ? (asked as string) : "card"} onChange={({ detail }) => setSearch({ tab: detail.activeTabId })} ariaLabel={`${version.model_name}@${version.number}`} />
    </ContentLayout>
  );
}

function VersionReport({ version }: { version: Detail }) {
  const url = version.links["report.json"];
  const report = useQuery({
    queryKey: ["model", version.model_id, "version", version.number, "report"],
    queryFn: () => (url === undefined ? null : readJson<Schemas["ModelReport"]>(url)),
    staleTime: Infinity,
  });
  return <Loaded query={report}>{(found) => <Report report={found} card={version.card} />}</Loaded>;
}

function Actions({ version }: { version: Detail }) {
  const { t } = useTranslation("models");
  const go = useGo();
  const queries = useQueryClient();
  const { may } = useSession();
  const endpoints = useEndpoints();
  const [isDeleting, setDeleting] = useState(false);
  if (!may("developer")) return null;
  const reference = `${version.model_name}@${version.number}`;
  const follow = (event: { preventDefault: () => void; detail: { href?: string } }) => {
    event.preventDefault();
    go(pathOf(event.detail.href ?? ""));
  };
  const uses = (["compress", "fuse", "decompose"] as const).map((form) => ({
    id: form,
    text: t(`use.${form}`),
    href: hrefOf(`/training/${form}?model=${reference}${form === "decompose" ? `&dataset=${version.datasets["train"]?.dataset_name ?? ""}&target=${encodeURIComponent(version.card.target)}` : ""}`),
  }));
  const deployments = [
    { id: "new", text: t("deploy.new"), href: hrefOf(`/inference/deploy?model=${reference}`) },
    ...(endpoints.data ?? []).map((each) => ({ id: each.id, text: t("deploy.to", { name: each.name }), href: hrefOf(`/inference/deploy?endpoint=${each.name}&model=${reference}`) })),
  ];
  return (
    <SpaceBetween size="xs" direction="horizontal">
      <Decide version={version} />
      <Button onClick={() => setDeleting(true)}>{t("delete", { ns: "common" })}</Button>
      <ButtonDropdown items={uses} onItemFollow={follow}>
        {t("use.title")}
      </ButtonDropdown>
      <ButtonDropdown variant="primary" items={deployments} onItemFollow={follow}>
        {t("deploy.title")}
      </ButtonDropdown>
      {isDeleting && (
        <Confirm
          title={t("versions.deleteTitle", { name: reference })}
          verb={t("delete", { ns: "common" })}
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            await api.DELETE("/v1/models/{model}/versions/{number}", { params: { path: { model: version.model_name, number: version.number } } });
            await queries.invalidateQueries({ queryKey: ["model"] });
            go(`/models/${version.model_name}`);
          }}
        >
          {t("versions.deleteText")}
        </Confirm>
      )}
    </SpaceBetween>
  );
}
