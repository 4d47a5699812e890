/** The columns of a version and what they hold. */

import Alert from "@cloudscape-design/components/alert";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Pagination from "@cloudscape-design/components/pagination";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { useCollection } from "@cloudscape-design/collection-hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { Bars } from "../../../components/Bars";
import { cellText } from "../../../components/cells";
import { Loaded } from "../../../components/Loaded";
import { Status } from "../../../components/Status";
import { formatBytes, formatNumber, formatTime } from "../../../components/values";
import { ColumnDetail } from "./ColumnDetail";
import { useVersion } from "./dataset";

type Detail = Schemas["DatasetVersionDetail"];
type Column = Schemas["ColumnProfile"];

export function Profile({ dataset, number }: { dataset: Schemas["Dataset"]; number: number }) {
  const version = useVersion(dataset.name, number);
  return <Loaded query={version}>{(found) => <Shown version={found} />}</Loaded>;
}

function Shown({ version }: { version: Detail }) {
  const { t } = useTranslation("collection");
  const issues = version.issues ?? [];
  return (
    <SpaceBetween size="l">
      {version.status_reason != null && <Alert type={version.status === "READY" ? "info" : "error"}>{version.status_reason}</Alert>}
      <Container>
        <KeyValuePairs
          columns={4}
          items={[
            { label: t("status"), value: <Status status={version.status} /> },
            { label: t("rows"), value: formatNumber(version.num_rows, 9) },
            { label: t("columns"), value: formatNumber(version.num_columns, 9) },
            { label: t("size"), value: formatBytes(version.num_bytes) },
            { label: t("quarantined"), value: formatNumber(version.num_quarantined, 9) },
            { label: t("duplicates"), value: formatNumber(version.profile?.num_duplicates, 9) },
            { label: t("quality"), value: version.quality == null ? "–" : <Status status={version.quality} /> },
            { label: t("created"), value: formatTime(version.created_at) },
          ]}
        />
      </Container>
      {issues.length > 0 && (
        <Alert type="warning" header={t("issues")}>
          <ul>
            {issues.slice(0, 5).map((issue, index) => (
              <li key={index}>
                {cellText(issue.file)}
                {issue.line != null && `:${issue.line}`} {issue.column != null && `(${cellText(issue.column)})`} {cellText(issue.reason)}
              </li>
            ))}
          </ul>
        </Alert>
      )}
      {version.profile != null && (
        <>
          {(version.profile.warnings ?? []).map((warning) => (
            <Alert key={warning} type="info">
              {warning}
            </Alert>
          ))}
          <Columns columns={version.profile.columns} numRows={version.profile.num_rows} target={version.target ?? null} />
        </>
      )}
    </SpaceBetween>
  );
}

function Columns({ columns, numRows, target }: { columns: Column[]; numRows: number; target: string | null }) {
  const { t } = useTranslation("collection");
  const [chosen, setChosen] = useState<string | null>(null);
  const { items, collectionProps, filterProps, paginationProps } = useCollection(columns, {
    filtering: {},
    pagination: { pageSize: 20 },
    sorting: {},
  });
  const detail = columns.find((each) => each.name === (chosen ?? columns[0]?.name));
  return (
    <SpaceBetween size="l">
      <Table
        {...collectionProps}
        items={items}
        trackBy="name"
        selectionType="single"
        selectedItems={detail === undefined ? [] : [detail]}
        onSelectionChange={({ detail: { selectedItems } }) => setChosen(selectedItems[0]?.name ?? null)}
        onRowClick={({ detail: { item } }) => setChosen(item.name)}
        ariaLabels={{ tableLabel: t("columns"), selectionGroupLabel: t("columns"), itemSelectionLabel: (_, item) => cellText(item.name) }}
        header={
          <Header variant="h2" counter={`(${columns.length})`}>
            {t("columns")}
          </Header>
        }
        filter={columns.length > 10 && <TextFilter {...filterProps} filteringAriaLabel={t("common:table.filter")} filteringPlaceholder={t("common:table.filter")} />}
        pagination={<Pagination {...paginationProps} />}
        columnDefinitions={[
          { id: "name", header: t("column"), cell: (each) => <>{cellText(each.name)}{each.name === target && ` (${t("target")})`}</>, sortingField: "name", isRowHeader: true },
          { id: "type", header: t("columnType"), cell: (each) => each.type, sortingField: "type" },
          { id: "missing", header: t("missing"), cell: (each) => (each.num_missing === 0 ? "0" : `${each.num_missing} (${formatNumber((each.num_missing / Math.max(numRows, 1)) * 100, 2)} %)`), sortingField: "num_missing" },
          { id: "distinct", header: t("distinct"), cell: (each) => formatNumber(each.num_distinct, 9), sortingField: "num_distinct" },
          { id: "min", header: t("min"), cell: (each) => extreme(each.min), sortingField: "min" },
          { id: "mean", header: t("mean"), cell: (each) => formatNumber(each.mean), sortingField: "mean" },
          { id: "max", header: t("max"), cell: (each) => extreme(each.max), sortingField: "max" },
          { id: "shape", header: t("distribution"), cell: (each) => <Shape column={each} />, width: 150 },
        ]}
      />
      {detail !== undefined && <ColumnDetail column={detail} numRows={numRows} />}
    </SpaceBetween>
  );
}

function Shape({ column }: { column: Column }) {
  const { t } = useTranslation("collection");
  const counts = column.histogram?.counts ?? (column.top_values ?? []).map((each) => each.count);
  return counts.length === 0 ? <>–</> : <Bars counts={counts} label={t("distributionOf", { column: cellText(column.name) })} />;
}

function extreme(value: number | string | null | undefined): string {
  return typeof value === "string" ? cellText(value) : formatNumber(value);
}
