/** Messages that could not be handled: looked at, given back to the queue, or thrown away. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { Code } from "../../components/Code";
import { Confirm } from "../../components/Confirm";
import { Empty } from "../../components/Empty";
import { Loaded } from "../../components/Loaded";
import { formatNumber, Time } from "../../components/values";

type Queue = Schemas["DeadLetterQueue"];
type Letter = Schemas["DeadLetter"];

export function DeadLetters({ items, mayHandle }: { items: Schemas["QueueStatus"][]; mayHandle: boolean }) {
  const { t } = useTranslation("management");
  const [opened, setOpened] = useState<string | null>(null);
  return (
    <SpaceBetween size="m">
      <Table
        variant="container"
        items={items}
        trackBy="name"
        header={<Header variant="h2" description={t("dead.hint")}>{t("dead.title")}</Header>}
        ariaLabels={{ tableLabel: t("dead.title") }}
        columnDefinitions={[
          { id: "name", header: t("name"), cell: (each) => each.name, isRowHeader: true },
          { id: "waiting", header: t("dead.messages"), cell: (each) => <StatusIndicator type={each.num_waiting === 0 ? "success" : "warning"}>{formatNumber(each.num_waiting)}</StatusIndicator> },
          {
            id: "open",
            header: t("actions"),
            cell: (each) =>
              mayHandle ? (
                <Button variant="inline-link" onClick={() => setOpened(opened === each.name ? null : each.name)} ariaLabel={t("dead.openOf", { name: each.name })}>
                  {t("dead.open")}
                </Button>
              ) : (
                "–"
              ),
          },
        ]}
      />
      {opened !== null && <Letters queue={opened as Queue} key={opened} />}
    </SpaceBetween>
  );
}

function Letters({ queue }: { queue: Queue }) {
  const { t } = useTranslation("management");
  const [chosen, setChosen] = useState<Letter[]>([]);
  const [asked, setAsked] = useState<"redrive" | "purge" | null>(null);
  const query = useQuery({ queryKey: ["system", "dead-letters", queue], queryFn: () => dataOf(api.GET("/v1/system/dead-letters/{queue}", { params: { path: { queue } } })) });
  return (
    <Loaded query={query}>
      {(found) => (
        <>
          <Table<Letter>
            variant="container"
            items={found.items}
            trackBy="id"
            selectionType="multi"
            selectedItems={chosen}
            onSelectionChange={({ detail }) => setChosen(detail.selectedItems)}
            ariaLabels={{ tableLabel: queue, selectionGroupLabel: t("table.select", { ns: "common" }), allItemsSelectionLabel: () => t("all", { ns: "common" }), itemSelectionLabel: (_, item) => item.id }}
            header={
              <Header
                variant="h2"
                counter={`(${found.num_messages})`}
                actions={
                  <SpaceBetween size="xs" direction="horizontal">
                    <Button disabled={found.items.length === 0} onClick={() => setAsked("redrive")}>
                      {t("dead.redrive")}
                    </Button>
                    <Button disabled={found.items.length === 0} onClick={() => setAsked("purge")}>
                      {t("dead.purge")}
                    </Button>
                  </SpaceBetween>
                }
              >
                {queue}
              </Header>
            }
            empty={<Empty title={t("dead.none")} hint={t("dead.noneHint")} />}
            columnDefinitions={[
              { id: "sent", header: t("at"), cell: (each) => <Time at={each.sent_at} />, isRowHeader: true, width: 200 },
              { id: "reason", header: t("dead.reason"), cell: (each) => each.reason ?? "–", width: 300 },
              {
                id: "body",
                header: t("dead.body"),
                cell: (each) => (
                  <ExpandableSection headerText={each.is_own ? t("dead.own") : t("dead.nobody")}>
                    <Code maxHeightPx={240}>{each.body}</Code>
                  </ExpandableSection>
                ),
              },
            ]}
          />
          {asked !== null && <Handle queue={queue} verb={asked} ids={chosen.length === 0 ? null : chosen.map((each) => each.id)} onClose={() => (setAsked(null), setChosen([]))} />}
        </>
      )}
    </Loaded>
  );
}

function Handle({ queue, verb, ids, onClose }: { queue: Queue; verb: "redrive" | "purge"; ids: string[] | null; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const notices = useNotices();
  const act = async () => {
    const options = { params: { path: { queue } }, body: { ids } };
    const done = await dataOf(verb === "redrive" ? api.POST("/v1/system/dead-letters/{queue}/redrive", options) : api.POST("/v1/system/dead-letters/{queue}/purge", options));
    notices.success(t(`dead.${verb}Done`, { count: done.num_done }));
    await queries.invalidateQueries({ queryKey: ["system"] });
  };
  return (
    <Confirm title={t(`dead.${verb}`)} verb={t(`dead.${verb}`)} onConfirm={act} onClose={onClose}>
      <Box>{ids === null ? t(`dead.${verb}All`) : t(`dead.${verb}Some`, { count: ids.length })}</Box>
    </Confirm>
  );
}
