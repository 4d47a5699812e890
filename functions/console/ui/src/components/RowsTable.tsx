/** Rows of data: many of them, of any columns. Only a page of rows and of columns is in the document. */

import Box from "@cloudscape-design/components/box";
import Pagination from "@cloudscape-design/components/pagination";
import Table from "@cloudscape-design/components/table";
import { type ReactNode, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { cellText, isPicture } from "./cells";

export interface RowsColumn {
  name: string;
  type?: string;
}

interface Props {
  columns: readonly RowsColumn[];
  rows: readonly (readonly unknown[])[];
  title: string;
  header?: ReactNode;
  empty?: ReactNode;
  /** More rows can be had: called where somebody goes beyond those that are there. */
  onMore?: () => void;
  isLoading?: boolean;
}

const ROWS = 50;
const COLUMNS = 40;

interface Row {
  /** Where it stands among all. */
  index: number;
  cells: readonly unknown[];
}

export function RowsTable({ columns, rows, title, header, empty, onMore, isLoading }: Props) {
  const { t } = useTranslation();
  const [page, setPage] = useState(1);
  const [columnPage, setColumnPage] = useState(1);
  const [sorting, setSorting] = useState<{ column: number; isDescending: boolean } | null>(null);
  const order = useMemo(() => (sorting === null ? null : sortedIndices(rows, sorting.column, sorting.isDescending)), [rows, sorting]);
  const numPages = Math.max(Math.ceil(rows.length / ROWS), 1);
  const current = Math.min(page, numPages);
  const items = useMemo(() => {
    const from = (current - 1) * ROWS;
    return Array.from({ length: Math.max(Math.min(ROWS, rows.length - from), 0) }, (_, offset): Row => {
      const index = order?.[from + offset] ?? from + offset;
      return { index, cells: rows[index] ?? [] };
    });
  }, [rows, order, current]);
  const numColumnPages = Math.ceil(columns.length / COLUMNS);
  const definitions = useMemo(
    () =>
      columns.slice((columnPage - 1) * COLUMNS, columnPage * COLUMNS).map(({ name, type }, offset) => {
        const column = (columnPage - 1) * COLUMNS + offset;
        return {
          id: String(column),
          header: (
            <>
              {cellText(name)} {type !== undefined && <Box variant="small">{type}</Box>}
            </>
          ),
          sortingField: String(column),
          cell: ({ cells }: Row) => <Cell value={cells[column]} />,
        };
      }),
    [columns, columnPage],
  );
  return (
    <Table
      variant="borderless"
      contentDensity="compact"
      header={header}
      columnDefinitions={definitions}
      items={items}
      trackBy={(row) => String(row.index)}
      loading={isLoading === true && rows.length === 0}
      loadingText={t("loading")}
      empty={empty ?? <Box textAlign="center">{t("table.noRows")}</Box>}
      ariaLabels={{ tableLabel: title }}
      sortingColumn={sorting === null ? undefined : { sortingField: String(sorting.column) }}
      sortingDescending={sorting?.isDescending}
      onSortingChange={({ detail }) => {
        setSorting({ column: Number(detail.sortingColumn.sortingField), isDescending: detail.isDescending === true });
        setPage(1);
      }}
      pagination={
        <Pagination
          currentPageIndex={current}
          pagesCount={numPages}
          openEnd={onMore !== undefined}
          disabled={isLoading}
          ariaLabels={{ paginationLabel: title }}
          onChange={({ detail }) => {
            if (detail.currentPageIndex > numPages) onMore?.();
            setPage(detail.currentPageIndex);
          }}
        />
      }
      filter={
        numColumnPages > 1 && (
          <Pagination
            currentPageIndex={columnPage}
            pagesCount={numColumnPages}
            ariaLabels={{ paginationLabel: t("table.columns") }}
            onChange={({ detail }) => setColumnPage(detail.currentPageIndex)}
          />
        )
      }
    />
  );
}

function Cell({ value }: { value: unknown }) {
  if (value === null || value === undefined) return <Box color="text-status-inactive">–</Box>;
  if (isPicture(value)) return <img src={value} alt="" height={48} />;
  return <span className={typeof value === "number" ? "number" : undefined}>{cellText(value)}</span>;
}

/** Nothing last; numbers as numbers, everything else as text. */
export function sortedIndices(rows: readonly (readonly unknown[])[], column: number, isDescending: boolean): Uint32Array {
  const cells = rows.map((row) => row[column]);
  const present = Uint32Array.from(cells.keys()).filter((index) => cells[index] !== null && cells[index] !== undefined);
  const absent = Uint32Array.from(cells.keys()).filter((index) => cells[index] === null || cells[index] === undefined);
  const sign = isDescending ? -1 : 1;
  // NOTE: keys are read once; a comparison that looks into the rows takes ten times as long for 100,000 of them.
  if (present.every((index) => typeof cells[index] === "number")) {
    const keys = Float64Array.from(cells as number[]);
    present.sort((left, right) => sign * (keys[left]! - keys[right]!) || left - right);
  } else {
    const keys = cells.map(String);
    present.sort((left, right) => (keys[left]! === keys[right]! ? left - right : keys[left]! < keys[right]! ? -sign : sign));
  }
  const order = new Uint32Array(rows.length);
  order.set(present);
  order.set(absent, present.length);
  return order;
}
