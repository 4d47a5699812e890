/** All trials, the best first where sorted so. */

import { useCollection } from "@cloudscape-design/collection-hooks";
import Box from "@cloudscape-design/components/box";
import Header from "@cloudscape-design/components/header";
import Pagination from "@cloudscape-design/components/pagination";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { useTranslation } from "react-i18next";

import { Status } from "../../../components/Status";
import { formatBytes, formatNumber, formatSeconds } from "../../../components/values";
import type { Goal } from "./objectives";
import type { Trial } from "./pages";

export function TrialTable({ trials, goals }: { trials: readonly Trial[]; goals: readonly Goal[] }) {
  const { t } = useTranslation(["training", "common"]);
  const told = (trial: Trial) =>
    Object.entries(trial.hyperparameters)
      .filter(([name]) => name !== "algorithm")
      .map(([name, value]) => `${name.replace(`${trial.algorithm}.`, "")} ${typeof value === "number" ? formatNumber(value) : String(value)}`)
      .join(", ");
  const { items, collectionProps, filterProps, paginationProps, filteredItemsCount } = useCollection(trials, {
    filtering: { empty: <Box>{t("study.noTrials")}</Box>, filteringFunction: (trial, text) => `${trial.number} ${trial.algorithm ?? ""} ${trial.state} ${told(trial)}`.toLowerCase().includes(text.toLowerCase()) },
    pagination: { pageSize: 30 },
    sorting: {},
  });
  const columns: TableProps.ColumnDefinition<Trial>[] = [
    { id: "number", header: t("study.trial"), cell: (trial) => trial.number, sortingField: "number", isRowHeader: true, width: 100 },
    { id: "algorithm", header: t("algorithm"), cell: (trial) => trial.algorithm ?? "–", sortingField: "algorithm", width: 150 },
    { id: "state", header: t("status"), cell: (trial) => <Status status={trial.state}>{t(`states.${trial.state}`)}</Status>, sortingField: "state", width: 150 },
    ...goals.map((goal, index) => ({
      id: `value-${index}`,
      header: goal.metric,
      width: 120,
      cell: (trial: Trial) => formatNumber(trial.values?.[index], 5),
      sortingComparator: (a: Trial, b: Trial) => compare(a.values?.[index], b.values?.[index]),
    })),
    { id: "bytes", header: t("size"), cell: (trial) => formatBytes(trial.model_bytes), sortingComparator: (a, b) => compare(a.model_bytes, b.model_bytes), width: 110 },
    { id: "latency", header: t("latency"), cell: (trial) => (trial.latency_ms == null ? "–" : `${formatNumber(trial.latency_ms, 3)} ms`), sortingComparator: (a, b) => compare(a.latency_ms, b.latency_ms), width: 130 },
    { id: "seconds", header: t("took"), cell: (trial) => formatSeconds(trial.seconds), sortingComparator: (a, b) => compare(a.seconds, b.seconds), width: 110 },
    { id: "what", header: t("form.hyperparameters"), cell: (trial) => trial.failure ?? told(trial), width: 420 },
  ];
  return (
    <Table
      {...collectionProps}
      variant="container"
      items={items}
      trackBy={(trial) => String(trial.number)}
      columnDefinitions={columns}
      resizableColumns
      ariaLabels={{ tableLabel: t("study.all") }}
      header={<Header variant="h2" counter={`(${trials.length})`}>{t("study.all")}</Header>}
      filter={<TextFilter {...filterProps} filteringAriaLabel={t("table.filter", { ns: "common" })} filteringPlaceholder={t("table.filter", { ns: "common" })} countText={t("table.matches", { ns: "common", count: filteredItemsCount ?? 0 })} />}
      pagination={<Pagination {...paginationProps} />}
    />
  );
}

/** What is not there comes last. */
function compare(a: number | null | undefined, b: number | null | undefined): number {
  return (a ?? Infinity) - (b ?? Infinity);
}
