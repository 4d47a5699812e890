/** SQL over the datasets: an editor, the result as rows and as a chart, and the queries of this tab. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../../api/client";
import { useNotices } from "../../../app/notices";
import { Loaded } from "../../../components/Loaded";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { isMoving } from "../../../components/Status";
import { History } from "./History";
import { keepDraft, readDraft, useHistory } from "./past";
import { Result } from "./Result";
import { SqlEditor } from "./SqlEditor";
import { useTables } from "./tables";

export function SqlPage() {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const queries = useQueryClient();
  const [search, setSearch] = useSearchParams();
  const shown = search.get("query");
  const [sql, setSql] = useState(() => search.get("sql") ?? readDraft());
  const tables = useTables(sql);
  const { past, remember } = useHistory();
  const write = (text: string) => {
    setSql(text);
    keepDraft(text);
  };
  const running = useMutation({
    mutationFn: (text: string) =>
      dataOf(
        api.POST("/v1/query", {
          params: { header: { "Idempotency-Key": newIdempotencyKey() } },
          body: { sql: text } as Schemas["QueryCreate"],
        }),
      ),
    onSuccess: (made) => {
      queries.setQueryData(["queries", made.id], made);
      remember(made.id, made.sql);
      setSearch({ query: made.id });
    },
  });
  const query = useQuery({
    queryKey: ["queries", shown],
    queryFn: () => dataOf(api.GET("/v1/queries/{query}", { params: { path: { query: shown! } } })),
    enabled: shown !== null,
    refetchInterval: ({ state }) => (state.data !== undefined && isMoving(state.data.status) ? 500 : false),
  });
  const isRunning = running.isPending || query.data?.status === "RUNNING";
  const run = () => {
    if (!isRunning && sql.trim() !== "") running.mutate(sql);
  };
  const stop = () => {
    if (shown !== null) void api.POST("/v1/queries/{query}/stop", { params: { path: { query: shown } } }).then(() => query.refetch(), notices.failure);
  };
  const names = Object.keys(tables);
  return (
    <ContentLayout header={<Header variant="h1" description={t("sql.description")}>{t("sql.title")}</Header>}>
      <SpaceBetween size="l">
        <Container>
          <SpaceBetween size="s">
            <SqlEditor value={sql} onChange={write} onRun={run} label={t("sql.editor")} tables={tables} />
            <SpaceBetween size="xs" direction="horizontal">
              <Button variant="primary" iconName="caret-right-filled" loading={running.isPending} disabled={isRunning || sql.trim() === ""} onClick={run}>
                {t("sql.run")}
              </Button>
              {query.data?.status === "RUNNING" && <Button onClick={stop}>{t("sql.stop")}</Button>}
              <ButtonDropdown
                disabled={names.length === 0}
                items={names.map((name) => ({ id: name, text: name }))}
                onItemClick={({ detail }) => write(sql.trim() === "" ? `SELECT * FROM "${detail.id}" LIMIT 100` : `${sql.trimEnd()} "${detail.id}"`)}
              >
                {t("sql.insert")}
              </ButtonDropdown>
            </SpaceBetween>
            {running.isError && <ProblemAlert error={running.error} />}
          </SpaceBetween>
        </Container>
        {shown !== null && (
          <Container>
            <Loaded query={query}>{(found) => <Result key={found.id} query={found} />}</Loaded>
          </Container>
        )}
        <History past={past} onChoose={({ id, sql: text }) => (write(text), setSearch({ query: id }))} />
      </SpaceBetween>
    </ContentLayout>
  );
}
