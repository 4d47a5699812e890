/** Who changed what and who read which data, when and from where. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Grid from "@cloudscape-design/components/grid";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { useMutation } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf, type Schemas } from "../../api/client";
import { follow } from "../../app/files";
import { useNotices } from "../../app/notices";
import { Empty } from "../../components/Empty";
import { ResourceTable } from "../../components/ResourceTable";
import { Since, sinceOf, type Span } from "../../components/Since";
import { Time } from "../../components/values";
import { AuditDetails } from "./AuditDetails";
import { AuditProof } from "./AuditProof";

type Entry = Schemas["AuditEntry"];

interface Filter {
  actor: string;
  action: string;
  target: string;
  kind: string;
  span: Span;
}

const NAMES = ["actor", "action", "target", "kind"] as const;

export function Audit() {
  const { t } = useTranslation("management");
  const [search, setSearch] = useSearchParams();
  const filter: Filter = {
    actor: search.get("actor") ?? "",
    action: search.get("action") ?? "",
    target: search.get("target") ?? "",
    kind: search.get("kind") ?? "",
    span: (search.get("since") ?? "30d") as Span,
  };
  // Computed once for each filter: a moving `since` would make each page of the list another query.
  const since = useMemo(() => sinceOf(filter.span), [filter.span]);
  const query = { ...Object.fromEntries(NAMES.filter((name) => filter[name] !== "").map((name) => [name, filter[name]])), since };
  const [chosen, setChosen] = useState<Entry | null>(null);
  const apply = (next: Filter) =>
    setSearch(Object.fromEntries([...NAMES.filter((name) => next[name] !== "").map((name) => [name, next[name]] as const), ["since", next.span] as const]));
  return (
    <SpaceBetween size="m">
      <ResourceTable<Entry>
        queryKey={["audit", query]}
        read={async (cursor) => (await dataOf(api.GET("/v1/audit", { params: { query: { ...query, cursor, limit: 100 } as never } }))) as never}
        trackBy={(each) => each.id}
        title={t("audit.title")}
        description={t("audit.hint")}
        actions={<Actions query={query} />}
        beforeTable={<FilterForm filter={filter} onApply={apply} key={search.toString()} />}
        empty={<Empty title={t("audit.none")} hint={t("audit.noneHint")} />}
        columns={[
          { id: "at", header: t("at"), cell: (each) => <Time at={each.created_at} />, sortingField: "created_at", width: 200 },
          { id: "by", header: t("by"), cell: (each) => each.actor_name ?? each.created_by },
          {
            id: "action",
            header: t("audit.action"),
            cell: (each) => (
              <Button variant="inline-link" onClick={() => setChosen(each)} ariaLabel={t("audit.show", { action: each.action, target: each.target_name ?? each.target_id })}>
                {each.action}
              </Button>
            ),
            isRowHeader: true,
            sortingField: "action",
            width: 220,
          },
          { id: "target", header: t("audit.target"), cell: (each) => each.target_name ?? each.target_id },
          { id: "kind", header: t("audit.kind"), cell: (each) => <StatusIndicator type={each.kind === "read" ? "info" : "success"}>{t(`audit.kinds.${each.kind ?? "change"}`)}</StatusIndicator> },
          { id: "from", header: t("audit.from"), cell: (each) => (each.origin == null ? "–" : `${each.origin.channel}${each.origin.source_ip == null ? "" : `, ${each.origin.source_ip}`}`) },
          { id: "changed", header: t("changes.title"), cell: (each) => Object.keys(each.changes ?? {}).join(", ") || "–" },
        ]}
      />
      {chosen !== null && <AuditDetails entry={chosen} onClose={() => setChosen(null)} />}
    </SpaceBetween>
  );
}

function FilterForm({ filter, onApply }: { filter: Filter; onApply: (filter: Filter) => void }) {
  const { t } = useTranslation("management");
  const [typed, setTyped] = useState(filter);
  const kinds = ["", "change", "read"].map((value) => ({ value, label: t(`audit.kinds.${value === "" ? "any" : value}`) }));
  const set = (change: Partial<Filter>) => setTyped((present) => ({ ...present, ...change }));
  return (
    <form onSubmit={(event) => (event.preventDefault(), onApply(typed))}>
      <Form actions={<Button variant="normal" iconName="search">{t("search", { ns: "common" })}</Button>}>
        <Grid gridDefinition={[{ colspan: { default: 12, s: 4, l: 2 } }, { colspan: { default: 12, s: 4, l: 3 } }, { colspan: { default: 12, s: 4, l: 3 } }, { colspan: { default: 6, s: 4, l: 2 } }, { colspan: { default: 6, s: 4, l: 2 } }]}>
          <FormField label={t("by")}>
            <Input value={typed.actor} onChange={({ detail }) => set({ actor: detail.value })} type="search" />
          </FormField>
          <FormField label={t("audit.action")}>
            <Input value={typed.action} placeholder="dataset.*" onChange={({ detail }) => set({ action: detail.value })} type="search" />
          </FormField>
          <FormField label={t("audit.target")}>
            <Input value={typed.target} onChange={({ detail }) => set({ target: detail.value })} type="search" />
          </FormField>
          <FormField label={t("audit.kind")}>
            <Select options={kinds} selectedOption={kinds.find((each) => each.value === typed.kind) ?? null} onChange={({ detail }) => set({ kind: detail.selectedOption.value ?? "" })} />
          </FormField>
          <Since span={typed.span} onChange={(span) => set({ span })} />
        </Grid>
      </Form>
    </form>
  );
}

function Actions({ query }: { query: object }) {
  const { t } = useTranslation("management");
  const notices = useNotices();
  const [isProving, setProving] = useState(false);
  const exporting = useMutation({
    mutationFn: async (format: string) => {
      const made = await dataOf(api.GET("/v1/audit/export", { params: { query: { ...query, format } as never } }));
      follow(made.url);
      notices.success(t(made.is_complete ? "audit.exported" : "audit.exportedPart", { count: made.num_entries }));
    },
    onError: notices.failure,
  });
  return (
    <SpaceBetween size="xs" direction="horizontal">
      <Button onClick={() => setProving(true)}>{t("audit.verify")}</Button>
      <ButtonDropdown
        loading={exporting.isPending}
        items={[
          { id: "csv", text: "CSV" },
          { id: "jsonl", text: "JSON Lines" },
        ]}
        onItemClick={({ detail }) => exporting.mutate(detail.id)}
      >
        {t("audit.export")}
      </ButtonDropdown>
      {isProving && <AuditProof onClose={() => setProving(false)} />}
    </SpaceBetween>
  );
}
