/** A list of the API as a table: page by page by its cursors, what is loaded can be filtered and sorted. */

import { useCollection } from "@cloudscape-design/collection-hooks";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Pagination from "@cloudscape-design/components/pagination";
import SpaceBetween from "@cloudscape-design/components/space-between";
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
  /** Reads again so often, as what is there says; false: only when asked. */
  everyMs?: number | false | ((items: T[]) => number | false);
  /** What the filter looks through; left out: the fields that are texts. */
  textOf?: (item: T) => string;
  /** Beside the filter of texts. */
  filters?: ReactNode;
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
    refetchInterval: ({ state }) => {
      const every = props.everyMs ?? false;
      return typeof every === "function" ? every(state.data?.pages.flatMap((page) => page.items) ?? []) : every;
    },
  });
  const all = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const textOf = props.textOf ?? String;
  const { items, filteredItemsCount, collectionProps, filterProps, paginationProps } = useCollection(all, {
    filtering: {
      empty: props.empty,
      noMatch: <Box textAlign="center">{t("table.noMatch")}</Box>,
      filteringFunction: props.textOf && ((item, text) => textOf(item).toLowerCase().includes(text.toLowerCase())),
    },
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
      // What can be done with a row stays in sight.
      stickyColumns={props.columns.at(-1)?.id === "actions" ? { last: 1 } : undefined}
      wrapLines={props.wrapLines}
      selectionType={props.selectionType}
      selectedItems={props.selectedItems}
      onSelectionChange={({ detail }) => props.onSelect?.(detail.selectedItems)}
      ariaLabels={{ tableLabel: props.title, selectionGroupLabel: t("table.select"), allItemsSelectionLabel: () => t("table.selectAll"), itemSelectionLabel: (_, item) => props.trackBy(item) }}
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
        <SpaceBetween size="xs">
          {props.beforeTable}
          {query.isError && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
          <SpaceBetween size="xs" direction="horizontal">
            {(all.length > 0 || filterProps.filteringText !== "") && (
              <TextFilter
                {...filterProps}
                filteringPlaceholder={t("table.filter")}
                filteringAriaLabel={t("table.filter")}
                countText={t("table.matches", { count: filteredItemsCount ?? 0 })}
              />
            )}
            {props.filters}
          </SpaceBetween>
        </SpaceBetween>
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
