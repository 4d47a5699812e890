/** The first rows of a version. */

import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { useNotices } from "../../../app/notices";
import { Loaded } from "../../../components/Loaded";
import { RowsTable } from "../../../components/RowsTable";
import { saveText } from "../saving";

type Rows = Schemas["DatasetRows"];
const NUM_ROWS = 100;

export function Preview({ dataset, number }: { dataset: Schemas["Dataset"]; number: number }) {
  const path = { dataset: dataset.name, number };
  const rows = useQuery({
    queryKey: ["datasets", dataset.name, "versions", number, "rows"],
    queryFn: () => dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}/rows", { params: { path, query: { limit: NUM_ROWS } } })),
    staleTime: 60_000,
  });
  return <Loaded query={rows}>{(found) => <Shown rows={found} path={path} />}</Loaded>;
}

function Shown({ rows, path }: { rows: Rows; path: { dataset: string; number: number } }) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const columns = useMemo(() => rows.columns.map((name) => ({ name })), [rows]);
  const cells = useMemo(() => rows.rows.map((row) => rows.columns.map((name) => row[name])), [rows]);
  const save = async () => {
    const text = await dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}/rows.csv", { params: { path, query: { limit: NUM_ROWS } }, parseAs: "text" }));
    saveText(text as string, `${path.dataset}-${path.number}.csv`);
  };
  return (
    <RowsTable
      columns={columns}
      rows={cells}
      title={t("firstRows")}
      header={
        <Header variant="h2" counter={`(${cells.length})`} actions={<Button iconName="download" onClick={() => void save().catch(notices.failure)}>CSV</Button>}>
          {t("firstRows")}
        </Header>
      }
    />
  );
}
