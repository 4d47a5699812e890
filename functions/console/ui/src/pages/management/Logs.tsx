/** What functions and jobs of the workspace have logged. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Grid from "@cloudscape-design/components/grid";
import Input from "@cloudscape-design/components/input";
import Modal from "@cloudscape-design/components/modal";
import Select from "@cloudscape-design/components/select";
import Toggle from "@cloudscape-design/components/toggle";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf, type Schemas } from "../../api/client";
import { Code } from "../../components/Code";
import { Empty } from "../../components/Empty";
import { ResourceTable } from "../../components/ResourceTable";
import { Since, sinceOf, type Span } from "../../components/Since";
import { LevelBadge } from "./LevelBadge";
import { Time } from "../../components/values";

type Line = Schemas["LogEntry"];

const NAMES = ["text", "request_id", "job_id", "endpoint", "source", "level"] as const;
type Filter = Record<(typeof NAMES)[number], string> & { span: Span };

export function Logs() {
  const { t } = useTranslation("management");
  const [search, setSearch] = useSearchParams();
  const [isLive, setLive] = useState(false);
  const filter = { ...Object.fromEntries(NAMES.map((name) => [name, search.get(name) ?? ""])), span: (search.get("since") ?? "1h") as Span } as Filter;
  // NOTE: the API looks an hour back where nothing is said.
  const since = useMemo(() => sinceOf(filter.span) ?? new Date(0).toISOString(), [filter.span]);
  const query = { ...Object.fromEntries(NAMES.filter((name) => filter[name] !== "").map((name) => [name, filter[name]])), since };
  const [chosen, setChosen] = useState<Line | null>(null);
  const apply = (next: Filter) =>
    setSearch(Object.fromEntries([...NAMES.filter((name) => next[name] !== "").map((name) => [name, next[name].trim()] as const), ["since", next.span] as const]));
  return (
    <>
      <ResourceTable<Line>
        queryKey={["logs", query]}
        read={async (cursor) => (await dataOf(api.GET("/v1/logs", { params: { query: { ...query, cursor, limit: 200 } as never } }))) as never}
        trackBy={(each) => `${each.at} ${each.source} ${each.request_id ?? each.job_id ?? ""} ${each.message}`}
        title={t("logs.title")}
        description={t("logs.hint")}
        pageSize={50}
        everyMs={isLive ? 3_000 : false}
        actions={
          <Toggle checked={isLive} onChange={({ detail }) => setLive(detail.checked)}>
            {t("logs.live")}
          </Toggle>
        }
        beforeTable={<FilterForm filter={filter} onApply={apply} key={search.toString()} />}
        empty={<Empty title={t("logs.none")} hint={t("logs.noneHint")} />}
        columns={[
          { id: "at", header: t("at"), cell: (each) => <Time at={each.at} />, sortingField: "at", width: 200 },
          { id: "level", header: t("logs.level"), cell: (each) => <LevelBadge level={each.level} />, width: 110 },
          { id: "source", header: t("logs.source"), cell: (each) => each.source, sortingField: "source", width: 130 },
          {
            id: "message",
            header: t("logs.message"),
            cell: (each) => (
              <Button variant="inline-link" onClick={() => setChosen(each)}>
                {summary(each)}
              </Button>
            ),
            isRowHeader: true,
            width: 480,
          },
          { id: "of", header: t("logs.of"), cell: (each) => each.job_id ?? each.request_id ?? "–", width: 300 },
        ]}
      />
      {chosen !== null && (
        <Modal visible size="large" header={chosen.source} onDismiss={() => setChosen(null)} closeAriaLabel={t("close", { ns: "common" })}>
          <Box variant="p">
            <Time at={chosen.at} />
          </Box>
          <Code>{JSON.stringify(chosen, null, 2)}</Code>
        </Modal>
      )}
    </>
  );
}

/** A line of a request says what was asked, rather than that it was one. */
function summary(line: Line): string {
  const { method, path, status, milliseconds } = (line.details ?? {}) as Record<string, unknown>;
  if (line.message === "request" && typeof path === "string") return `${String(method)} ${path} ${String(status)} ${Math.round(Number(milliseconds))} ms`;
  return line.message === "" ? "–" : line.message;
}

function FilterForm({ filter, onApply }: { filter: Filter; onApply: (filter: Filter) => void }) {
  const { t } = useTranslation("management");
  const [typed, setTyped] = useState(filter);
  const levels = ["", "DEBUG", "INFO", "WARNING", "ERROR"].map((value) => ({ value, label: value === "" ? t("all", { ns: "common" }) : value }));
  const set = (name: (typeof NAMES)[number]) => ({ detail }: { detail: { value: string } }) => setTyped((present) => ({ ...present, [name]: detail.value }));
  const third = { colspan: { default: 12, s: 6, l: 3 } };
  return (
    <form onSubmit={(event) => (event.preventDefault(), onApply(typed))}>
      <Form actions={<Button iconName="search">{t("search", { ns: "common" })}</Button>}>
        <Grid gridDefinition={[third, third, third, third, third, third, third]}>
          <FormField label={t("logs.text")}>
            <Input value={typed.text} onChange={set("text")} type="search" />
          </FormField>
          <FormField label={t("logs.requestId")}>
            <Input value={typed.request_id} onChange={set("request_id")} type="search" />
          </FormField>
          <FormField label={t("logs.jobId")}>
            <Input value={typed.job_id} onChange={set("job_id")} type="search" />
          </FormField>
          <FormField label={t("logs.endpoint")}>
            <Input value={typed.endpoint} onChange={set("endpoint")} type="search" />
          </FormField>
          <FormField label={t("logs.source")}>
            <Input value={typed.source} placeholder="api, job, ..." onChange={set("source")} type="search" />
          </FormField>
          <FormField label={t("logs.level")}>
            <Select options={levels} selectedOption={levels.find((each) => each.value === typed.level) ?? null} onChange={({ detail }) => set("level")({ detail: { value: detail.selectedOption.value ?? "" } })} />
          </FormField>
          <Since span={typed.span} onChange={(span) => setTyped((present) => ({ ...present, span }))} />
        </Grid>
      </Form>
    </form>
  );
}
