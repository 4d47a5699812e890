/** A list of the API as a table: page by page by its cursors, what is loaded can be filtered and sorted. */

import { useCollection } from "@cloudscape-design/collection-hooks";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Pagination from "@cloudscape-design/components/pagination";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { useInfiniteQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { useTranslation } from "react-i18next";

import { ProblemAlert } from "./ProblemAlert";

export interface ApiPage<T> {
  items: T[];
  next_cursor?: string | null;
}

interface Props<T> {
  /** Of react-query; what changes the list invalidates a beginning of it. */
  queryKey: readonly unknown[];
  read: (cursor: string | undefined) => Promise<ApiPage<T>>;
  columns: TableProps.ColumnDefinition<T>[];
  /** Names a row. */
  trackBy: (item: T) => string;
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  empty: ReactNode;
  /** Reads again so often; false: only when asked. */
  everyMs?: number | false;
  pageSize?: number;
  selectionType?: TableProps["selectionType"];
  selectedItems?: T[];
  onSelect?: (items: T[]) => void;
  variant?: TableProps["variant"];
  /** Stands between the header and the rows: what the API itself is to look for. */
  beforeTable?: ReactNode;
  /** Shows long texts whole. */
  wrapLines?: boolean;
}

/** NOTE: all pages that were loaded are read again together, so keep `everyMs` to lists of which few are. */
export function ResourceTable<T>(props: Props<T>) {
  const { t } = useTranslation();
  const query = useInfiniteQuery({
    queryKey: [...props.queryKey, "pages"],
    queryFn: ({ pageParam }) => props.read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: props.everyMs ?? false,
  });
  const all = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const { items, filteredItemsCount, collectionProps, filterProps, paginationProps } = useCollection(all, {
    filtering: { empty: props.empty, noMatch: <Box textAlign="center">{t("table.noMatch")}</Box> },
    pagination: { pageSize: props.pageSize ?? 20 },
    sorting: {},
    selection: { trackBy: props.trackBy },
  });
  return (
    <Table
      {...collectionProps}
      items={items}
      columnDefinitions={props.columns}
      trackBy={props.trackBy}
      loading={query.isPending}
      loadingText={t("loading")}
      variant={props.variant ?? "full-page"}
      stickyHeader
      resizableColumns
      wrapLines={props.wrapLines}
      selectionType={props.selectionType}
      selectedItems={props.selectedItems}
      onSelectionChange={({ detail }) => props.onSelect?.(detail.selectedItems)}
      ariaLabels={{ tableLabel: props.title, selectionGroupLabel: t("table.select"), itemSelectionLabel: (_, item) => props.trackBy(item) }}
      header={
        <Header
          variant={(props.variant ?? "full-page") === "full-page" ? "h1" : "h2"}
          counter={query.data === undefined ? undefined : `(${all.length}${query.hasNextPage ? "+" : ""})`}
          description={props.description}
          actions={props.actions}
        >
          {props.title}
        </Header>
      }
      filter={
        <>
          {props.beforeTable}
          {query.isError && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
          {all.length > 0 && (
            <TextFilter
              {...filterProps}
              filteringPlaceholder={t("table.filter")}
              filteringAriaLabel={t("table.filter")}
              countText={t("table.matches", { count: filteredItemsCount ?? 0 })}
            />
          )}
        </>
      }
      pagination={
        <Pagination
          {...paginationProps}
          openEnd={query.hasNextPage}
          onNextPageClick={({ detail }) => {
            if (!detail.requestedPageAvailable && query.hasNextPage) void query.fetchNextPage();
          }}
        />
      }
      footer={
        query.hasNextPage && (
          <Box textAlign="center">
            <Button loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              {t("table.more")}
            </Button>
          </Box>
        )
      }
    />
  );
}
