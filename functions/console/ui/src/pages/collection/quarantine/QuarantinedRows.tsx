/** The rows of one quarantine. Each is opened, put right and marked; those that are marked are replayed together. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../../api/client";
import { Link } from "../../../app/links";
import { useNotices } from "../../../app/notices";
import { useSession } from "../../../app/session";
import { cellText } from "../../../components/cells";
import { Empty } from "../../../components/Empty";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { ResourceTable } from "../../../components/ResourceTable";
import { FixRow } from "./FixRow";
import type { Values } from "./fixing";

type Item = Schemas["QuarantineItem"];

export function QuarantinedRows({ dataset, number }: { dataset: Schemas["Dataset"]; number: number }) {
  const { t } = useTranslation("collection");
  const { may } = useSession();
  const notices = useNotices();
  const queries = useQueryClient();
  const [opened, setOpened] = useState<Item | null>(null);
  const [fixed, setFixed] = useState<ReadonlyMap<number, Values>>(new Map());
  const path = { dataset: dataset.name, number };
  const columns = useColumns(dataset, number);
  const replaying = useMutation({
    // The key is of these corrections: the same ones again make one version.
    mutationFn: (key: string) =>
      dataOf(
        api.POST("/v1/datasets/{dataset}/versions/{number}/quarantine/replay", {
          params: { path, header: { "Idempotency-Key": key } },
          body: { rows: [...fixed].map(([position, values]) => ({ position, values })) },
        }),
      ),
    onSuccess: async (made) => {
      notices.success(t("quarantine.sent", { count: fixed.size, number: made.number }));
      setFixed(new Map());
      await queries.invalidateQueries({ queryKey: ["datasets", dataset.name] });
    },
  });
  const [key, setKey] = useState(newIdempotencyKey);
  const mark = (position: number, values: Values | null) => {
    setFixed((present) => {
      const next = new Map(present);
      if (values === null) next.delete(position);
      else next.set(position, values);
      return next;
    });
    setKey(newIdempotencyKey());
    setOpened(null);
  };
  return (
    <SpaceBetween size="m">
      {replaying.isError && <ProblemAlert error={replaying.error} />}
      <ResourceTable<Item>
        variant="borderless"
        wrapLines
        queryKey={["datasets", dataset.name, "quarantine", number]}
        read={(cursor) => dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}/quarantine", { params: { path, query: { limit: 100, cursor } } }))}
        trackBy={(each) => String(each.position)}
        title={t("quarantine.rows")}
        everyMs={5_000}
        actions={
          may("collector") && (
            <Button variant="primary" disabled={fixed.size === 0} loading={replaying.isPending} onClick={() => replaying.mutate(key)}>
              {t("quarantine.replay", { count: fixed.size })}
            </Button>
          )
        }
        empty={<Empty title={t("quarantine.none")} />}
        columns={[
          { id: "where", header: t("quarantine.where"), cell: (each) => `${cellText(each.file)}${each.line == null ? "" : `:${each.line}`}`, isRowHeader: true },
          { id: "column", header: t("column"), cell: (each) => (each.column == null ? "–" : cellText(each.column)), sortingField: "column" },
          { id: "reason", header: t("reason"), cell: (each) => cellText(each.reason), sortingField: "reason" },
          { id: "row", header: t("quarantine.asFound"), cell: (each) => <Box variant="code">{each.text == null ? "–" : cellText(each.text)}</Box> },
          {
            id: "state",
            header: t("quarantine.correction"),
            cell: (each) => {
              if (each.replayed_as != null) return <Link to={`/collection/datasets/${dataset.name}?version=${each.replayed_as}`}>{t("quarantine.inVersion", { number: each.replayed_as })}</Link>;
              if (!may("collector") || (each.text == null && each.values == null)) return "–";
              return (
                <Button variant="inline-link" ariaLabel={`${t("quarantine.fix")} ${each.position}`} onClick={() => setOpened(each)}>
                  {fixed.has(each.position) ? t("quarantine.fixed") : t("quarantine.fix")}
                </Button>
              );
            },
          },
        ]}
      />
      {opened !== null && (
        <FixRow
          item={opened}
          columns={columns}
          values={fixed.get(opened.position)}
          onClose={() => setOpened(null)}
          onFixed={(values) => mark(opened.position, values)}
        />
      )}
    </SpaceBetween>
  );
}

/** Of the version itself, or of the latest where this one has no rows. */
function useColumns(dataset: Schemas["Dataset"], number: number): Schemas["Column"][] {
  const found = useQuery({
    queryKey: ["datasets", dataset.name, "columns", number, dataset.latest_version],
    queryFn: async () => {
      for (const each of [number, dataset.latest_version]) {
        if (each == null) continue;
        const version = await dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}", { params: { path: { dataset: dataset.name, number: each } } }));
        if (version.data_schema != null) return version.data_schema.columns;
      }
      return [];
    },
    staleTime: 60_000,
  });
  return found.data ?? [];
}
