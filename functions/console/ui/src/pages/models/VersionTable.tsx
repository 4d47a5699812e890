/** The versions of a model. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Select from "@cloudscape-design/components/select";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../api/client";
import { Link, useGo } from "../../app/links";
import { ResourceTable } from "../../components/ResourceTable";
import { formatBytes, formatNumber, Time } from "../../components/values";
import { ApprovalStatus, type Decision } from "./Approval";
import { type ModelVersion, useEndpoints } from "./versions";

const MAX_COMPARED = 6;
const APPROVALS = ["all", "approved", "rejected", "undecided"] as const;

export function VersionTable({ model }: { model: string }) {
  const { t } = useTranslation("models");
  const go = useGo();
  const endpoints = useEndpoints();
  const [approval, setApproval] = useState<(typeof APPROVALS)[number]>("all");
  const approvals = APPROVALS.map((value) => ({ value, label: t(`approval.state.${value}`) }));
  const isShown = (version: ModelVersion) => approval === "all" || (version.approval?.decision ?? "undecided") === (approval as Decision | "undecided");
  const [selected, setSelected] = useState<ModelVersion[]>([]);
  const nameOf = (id: string) => endpoints.data?.find((each) => each.id === id)?.name ?? id;
  return (
    <ResourceTable<ModelVersion>
      variant="container"
      queryKey={["model", model, "versions", approval]}
      read={async (cursor) => {
        const page = await dataOf(api.GET("/v1/models/{model}/versions", { params: { path: { model }, query: { cursor } } }));
        return { ...page, items: page.items.filter(isShown) };
      }}
      filters={
        <Select
          ariaLabel={t("approval.filter")}
          options={approvals}
          selectedOption={approvals.find((each) => each.value === approval)!}
          onChange={({ detail }) => setApproval(detail.selectedOption.value as typeof approval)}
        />
      }
      everyMs={10_000}
      trackBy={(version) => `@${version.number}`}
      textOf={(version) => `@${version.number} ${version.algorithm} ${version.task} ${version.primary_metric} ${version.created_by} ${version.job_id} ${version.endpoints.map(nameOf).join(" ")}`}
      title={t("versions.title")}
      selectionType="multi"
      selectedItems={selected}
      onSelect={setSelected}
      actions={
        <Button
          disabled={selected.length < 2 || selected.length > MAX_COMPARED}
          onClick={() => go(`/models/${model}/compare?${selected.map((version) => `version=${version.number}`).join("&")}`)}
        >
          {t("versions.compare")}
        </Button>
      }
      empty={<Box textAlign="center">{t("versions.empty")}</Box>}
      columns={[
        { id: "number", header: t("version"), cell: (version) => <Link to={`/models/${model}/versions/${version.number}`}>{`@${version.number}`}</Link>, sortingField: "number", isRowHeader: true, width: 100 },
        { id: "algorithm", header: t("algorithm"), cell: (version) => version.algorithm, sortingField: "algorithm", width: 140 },
        {
          id: "value",
          header: t("metric"),
          cell: (version) => (version.primary_metric === "" ? "–" : `${version.primary_metric} ${formatNumber(version.metrics[version.primary_metric], 5)}`),
          sortingComparator: (a, b) => (a.metrics[a.primary_metric] ?? 0) - (b.metrics[b.primary_metric] ?? 0),
          width: 160,
        },
        { id: "size", header: t("size"), cell: (version) => formatBytes(version.model_bytes), sortingField: "model_bytes", width: 100 },
        { id: "latency", header: t("latency"), cell: (version) => (version.latency_ms == null ? "–" : `${formatNumber(version.latency_ms, 3)} ms`), sortingComparator: (a, b) => (a.latency_ms ?? Infinity) - (b.latency_ms ?? Infinity), width: 120 },
        {
          id: "endpoints",
          header: t("endpoints"),
          cell: (version) =>
            version.endpoints.length === 0
              ? "–"
              : version.endpoints.map((id, index) => (
                  <span key={id}>
                    {index > 0 && ", "}
                    <Link to={`/inference/endpoints/${nameOf(id)}`}>{nameOf(id)}</Link>
                  </span>
                )),
          width: 130,
        },
        { id: "approval", header: t("approval.heading"), cell: (version) => <ApprovalStatus approval={version.approval} />, width: 150 },
        { id: "created", header: t("created"), cell: (version) => <Time at={version.created_at} />, sortingField: "created_at", width: 190 },
      ]}
    />
  );
}
