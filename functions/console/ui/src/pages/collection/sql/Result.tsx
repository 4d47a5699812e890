/** What came of a query: its rows, a chart of them, and files. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { useNotices } from "../../../app/notices";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { RowsTable } from "../../../components/RowsTable";
import { formatBytes, formatNumber, formatSeconds } from "../../../components/values";
import { saveFrom } from "../saving";
import { ResultChart } from "./ResultChart";
import { MAX_ROWS, useResultRows } from "./rows";

type Query = Schemas["Query"];

export function Result({ query }: { query: Query }) {
  if (query.status === "SUCCEEDED") return <Rows query={query} />;
  if (query.status === "RUNNING") return <Running query={query} />;
  return <Alert type={query.status === "FAILED" ? "error" : "info"}>{query.status_reason ?? query.status}</Alert>;
}

function Running({ query }: { query: Query }) {
  const { t } = useTranslation("collection");
  return <Box textAlign="center" padding="l">{t("sql.running", { bytes: formatBytes(query.scanned_bytes) })}</Box>;
}

function Rows({ query }: { query: Query }) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const { rows, hasMore, isLoading, error, load, stop } = useResultRows(query.id);
  const columns = query.columns ?? [];
  const save = async (format: "csv" | "parquet") => {
    const made = await dataOf(api.GET("/v1/queries/{query}/result", { params: { path: { query: query.id }, query: { format } } }));
    saveFrom(made.url);
  };
  const header = (
    <Header
      variant="h2"
      counter={`(${formatNumber(rows.length, 9)}${hasMore ? "+" : ""})`}
      description={t("sql.took", { seconds: formatSeconds(query.seconds), bytes: formatBytes(query.scanned_bytes), cost: formatNumber(query.cost_usd) })}
      actions={
        <SpaceBetween size="xs" direction="horizontal">
          {hasMore && !isLoading && <Button onClick={() => void load(MAX_ROWS)}>{t("sql.loadAll", { count: MAX_ROWS })}</Button>}
          {isLoading && <Button onClick={stop}>{t("sql.stopLoading")}</Button>}
          <ButtonDropdown
            items={[
              { id: "csv", text: "CSV" },
              { id: "parquet", text: "Parquet" },
            ]}
            onItemClick={({ detail }) => void save(detail.id as "csv" | "parquet").catch(notices.failure)}
          >
            {t("sql.save")}
          </ButtonDropdown>
        </SpaceBetween>
      }
    >
      {t("sql.result")}
    </Header>
  );
  return (
    <SpaceBetween size="m">
      {error !== null && <ProblemAlert error={error} onRetry={() => void load(rows.length + 1)} />}
      {header}
      <Tabs
        tabs={[
          {
            id: "rows",
            label: t("rows"),
            content: <RowsTable columns={columns} rows={rows} title={t("sql.result")} isLoading={isLoading} onMore={hasMore ? () => void load(rows.length + 1) : undefined} />,
          },
          { id: "chart", label: t("sql.chart"), content: rows.length > 0 && <ResultChart columns={columns} rows={rows} /> },
        ]}
      />
    </SpaceBetween>
  );
}
