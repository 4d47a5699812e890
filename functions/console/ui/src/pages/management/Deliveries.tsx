/** Each notification on its way to each channel: how often it was tried, what was answered, and trying again. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Modal from "@cloudscape-design/components/modal";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { Code } from "../../components/Code";
import { Empty } from "../../components/Empty";
import { Loaded } from "../../components/Loaded";
import { ResourceTable } from "../../components/ResourceTable";
import { Status } from "../../components/Status";
import { formatSeconds, Time } from "../../components/values";

type Delivery = Schemas["Delivery"];

const STATES = ["ALL", "PENDING", "DELIVERED", "DEAD"] as const;

export function Deliveries() {
  const { t } = useTranslation("management");
  const [state, setState] = useState<string>("ALL");
  const [opened, setOpened] = useState<string | null>(null);
  const status = state === "ALL" ? undefined : (state as Delivery["status"]);
  return (
    <>
      <ResourceTable<Delivery>
        queryKey={["notification-deliveries", state]}
        read={async (cursor) => (await dataOf(api.GET("/v1/notification-deliveries", { params: { query: { cursor, status } as never } }))) as never}
        trackBy={(each) => each.id}
        title={t("deliveries.title")}
        description={t("deliveries.hint")}
        variant="container"
        everyMs={5_000}
        actions={
          <SegmentedControl label={t("status")} selectedId={state} onChange={({ detail }) => setState(detail.selectedId)} options={STATES.map((id) => ({ id, text: t(`deliveries.state.${id}`) }))} />
        }
        empty={<Empty title={t("deliveries.none")} />}
        columns={[
          { id: "at", header: t("at"), cell: (each) => <Time at={each.created_at} />, sortingField: "created_at", width: 200 },
          {
            id: "title",
            header: t("notifications.what"),
            cell: (each) => (
              <Button variant="inline-link" onClick={() => setOpened(each.id)}>
                {each.title}
              </Button>
            ),
            isRowHeader: true,
            width: 340,
          },
          { id: "channel", header: t("deliveries.channel"), cell: (each) => each.channel_name },
          { id: "status", header: t("status"), cell: (each) => <Status status={each.status ?? "PENDING"}>{t(`deliveries.state.${each.status ?? "PENDING"}`)}</Status>, width: 150 },
          { id: "attempts", header: t("deliveries.attempts"), cell: (each) => each.num_attempts ?? 0 },
          { id: "answer", header: t("deliveries.answer"), cell: (each) => lastAnswer(each), width: 260 },
          { id: "next", header: t("deliveries.next"), cell: (each) => <Time at={each.next_attempt_at} /> },
        ]}
      />
      {opened !== null && <Opened id={opened} onClose={() => setOpened(null)} />}
    </>
  );
}

function lastAnswer(delivery: Delivery): string {
  const last = delivery.attempts?.at(-1);
  if (last === undefined) return "–";
  return [last.status, last.answer].filter((each) => each != null && each !== "").join(" ") || "–";
}

function Opened({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const notices = useNotices();
  const params = { path: { notification_delivery: id } };
  const query = useQuery({ queryKey: ["notification-deliveries", "one", id], queryFn: () => dataOf(api.GET("/v1/notification-deliveries/{notification_delivery}", { params })), refetchInterval: 3_000 });
  const again = useMutation({
    mutationFn: () => api.POST("/v1/notification-deliveries/{notification_delivery}/retry", { params }),
    onSuccess: () => notices.success(t("deliveries.again")),
    onError: notices.failure,
    onSettled: () => queries.invalidateQueries({ queryKey: ["notification-deliveries"] }),
  });
  return (
    <Modal
      visible
      size="large"
      header={query.data?.title ?? t("deliveries.title")}
      onDismiss={onClose}
      closeAriaLabel={t("close", { ns: "common" })}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            <Button onClick={() => again.mutate()} loading={again.isPending} disabled={query.data === undefined}>
              {t("deliveries.retry")}
            </Button>
            <Button onClick={onClose}>{t("close", { ns: "common" })}</Button>
          </SpaceBetween>
        </Box>
      }
    >
      <Loaded query={query}>
        {(delivery) => (
          <SpaceBetween size="m">
            <Table
              variant="embedded"
              items={delivery.attempts ?? []}
              trackBy="at"
              ariaLabels={{ tableLabel: t("deliveries.attempts") }}
              empty={<Empty title={t("deliveries.untried")} />}
              columnDefinitions={[
                { id: "at", header: t("at"), cell: (each) => <Time at={each.at} />, isRowHeader: true },
                { id: "took", header: t("deliveries.took"), cell: (each) => formatSeconds(each.seconds) },
                { id: "status", header: "HTTP", cell: (each) => each.status ?? "–" },
                { id: "answer", header: t("deliveries.answer"), cell: (each) => each.answer || "–" },
              ]}
            />
            <Code>{JSON.stringify(delivery.payload, null, 2)}</Code>
          </SpaceBetween>
        )}
      </Loaded>
    </Modal>
  );
}
