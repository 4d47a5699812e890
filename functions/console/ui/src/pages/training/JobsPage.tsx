/** All jobs, with filters that live in the address. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { TableProps } from "@cloudscape-design/components/table";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf } from "../../api/client";
import { hrefOf, Link, pathOf, useGo } from "../../app/links";
import { useSession } from "../../app/session";
import { ResourceTable } from "../../components/ResourceTable";
import { isMoving, Status } from "../../components/Status";
import { formatSeconds, Time } from "../../components/values";
import { type Job, JOB_KINDS, JOB_STATUSES, pathOfModel, refOf, secondsOf, whatOf } from "./jobs";

const FORMS = ["autotrain", "train", "search", "compress", "fuse", "decompose", "prepare"] as const;
const MAX_COMPARED = 8;

export function JobsPage() {
  const { t } = useTranslation("training");
  const go = useGo();
  const { may } = useSession();
  const [search, setSearch] = useSearchParams();
  const [selected, setSelected] = useState<Job[]>([]);
  const status = (search.get("status") as Job["status"] | null) ?? undefined;
  const kind = (search.get("kind") as Job["kind"] | null) ?? undefined;
  const choose = (name: string, value: string | undefined) =>
    setSearch((before) => {
      const after = new URLSearchParams(before);
      if (value) after.set(name, value);
      else after.delete(name);
      return after;
    });

  const actions = (
    <SpaceBetween size="xs" direction="horizontal">
      <Button
        disabled={selected.length < 2 || selected.length > MAX_COMPARED}
        onClick={() => go(`/training/compare?${selected.map((job) => `job=${job.id}`).join("&")}`)}
      >
        {t("jobs.compare")}
      </Button>
      {may("developer") && (
        <ButtonDropdown
          variant="primary"
          items={FORMS.map((form) => ({ id: form, text: t(`${form}.title`), href: hrefOf(`/training/${form}`) }))}
          onItemFollow={(event) => {
            event.preventDefault();
            go(pathOf(event.detail.href ?? ""));
          }}
        >
          {t("jobs.new")}
        </ButtonDropdown>
      )}
    </SpaceBetween>
  );
  return (
    <ResourceTable<Job>
      queryKey={["jobs", status ?? "", kind ?? ""]}
      read={(cursor) => dataOf(api.GET("/v1/jobs", { params: { query: { cursor, status, kind, limit: 50 } } }))}
      everyMs={(jobs) => (jobs.some((job) => isMoving(job.status)) ? 2_000 : 10_000)}
      columns={useColumns()}
      trackBy={(job) => job.id}
      textOf={(job) => [job.id, job.kind, whatOf(job), job.status, job.created_by, job.model_version ? refOf(job.model_version) : ""].join(" ")}
      title={t("jobs.title")}
      actions={actions}
      selectionType="multi"
      selectedItems={selected}
      onSelect={setSelected}
      filters={
        <SpaceBetween size="xs" direction="horizontal">
          <Filter label={t("status")} all={t("jobs.anyStatus")} values={JOB_STATUSES} value={status} textOf={(value) => t(`statuses.${value}`)} onChange={(value) => choose("status", value)} />
          <Filter
            label={t("kind")}
            all={t("jobs.anyKind")}
            values={JOB_KINDS}
            value={kind}
            textOf={(value) => t(`kinds.${value}`)}
            onChange={(value) => choose("kind", value)}
          />
        </SpaceBetween>
      }
      empty={
        <Box textAlign="center">
          <SpaceBetween size="s">
            <Box>{t(status || kind ? "jobs.none" : "jobs.empty")}</Box>
            {may("developer") && <Button onClick={() => go("/training/autotrain")}>{t("autotrain.title")}</Button>}
          </SpaceBetween>
        </Box>
      }
    />
  );
}

function useColumns(): TableProps.ColumnDefinition<Job>[] {
  const { t } = useTranslation("training");
  return [
    { id: "id", header: t("job.title"), cell: (job) => <Link to={`/training/jobs/${job.id}`}>{job.id.slice(0, 14)}…</Link>, isRowHeader: true, width: 170 },
    { id: "kind", header: t("kind"), cell: (job) => t(`kinds.${job.kind}`), sortingField: "kind", width: 130 },
    { id: "what", header: t("what"), cell: whatOf, width: 260 },
    { id: "status", header: t("status"), cell: (job) => <Status status={job.status}>{t(`statuses.${job.status}`)}</Status>, sortingField: "status", width: 140 },
    {
      id: "progress",
      header: t("progress"),
      cell: (job) =>
        isMoving(job.status) && job.progress
          ? `${job.progress.phase}${job.progress.fraction == null ? "" : ` ${Math.round(job.progress.fraction * 100)} %`}`
          : formatSeconds(secondsOf(job, Date.now())),
      width: 140,
    },
    { id: "model", header: t("model"), cell: (job) => (job.model_version ? <Link to={pathOfModel(job.model_version)}>{refOf(job.model_version)}</Link> : "–"), width: 160 },
    { id: "created", header: t("created"), cell: (job) => <Time at={job.created_at} />, sortingField: "created_at", width: 200 },
    { id: "by", header: t("by"), cell: (job) => job.created_by, sortingField: "created_by", width: 160 },
  ];
}

function Filter<T extends string>(props: {
  label: string;
  all: string;
  values: readonly T[];
  value: T | undefined;
  onChange: (value: T | undefined) => void;
  textOf?: (value: T) => string;
}) {
  const options = [{ value: "", label: props.all }, ...props.values.map((value) => ({ value: value as string, label: props.textOf?.(value) ?? value }))];
  return (
    <Select
      ariaLabel={props.label}
      options={options}
      selectedOption={options.find((each) => each.value === (props.value ?? "")) ?? null}
      onChange={({ detail }) => props.onChange((detail.selectedOption.value || undefined) as T | undefined)}
    />
  );
}
