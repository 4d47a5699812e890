/** Rows that a dataset's versions left out: why, as they were found, and to be put right and taken in. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { useSession } from "../../../app/session";
import { Confirm } from "../../../components/Confirm";
import { Empty } from "../../../components/Empty";
import { Loaded } from "../../../components/Loaded";
import { formatTime } from "../../../components/values";
import { QuarantinedRows } from "./QuarantinedRows";

type Kept = Schemas["Quarantine"];

export function Quarantine({ dataset, number }: { dataset: Schemas["Dataset"]; number: number | null }) {
  const { t } = useTranslation("collection");
  const quarantines = useQuery({
    queryKey: ["datasets", dataset.name, "quarantine"],
    queryFn: () => dataOf(api.GET("/v1/datasets/{dataset}/quarantine", { params: { path: { dataset: dataset.name }, query: { limit: 100 } } })),
    refetchInterval: 5_000,
  });
  return (
    <Loaded query={quarantines}>
      {(found) =>
        found.items.length === 0 ? <Empty title={t("quarantine.none")} hint={t("quarantine.noneHint")} /> : <Chosen dataset={dataset} all={found.items} number={number} />
      }
    </Loaded>
  );
}

function Chosen({ dataset, all, number }: { dataset: Schemas["Dataset"]; all: Kept[]; number: number | null }) {
  const { t } = useTranslation("collection");
  const { may } = useSession();
  const queries = useQueryClient();
  const [chosen, setChosen] = useState<number | null>(null);
  const [isLeaving, setLeaving] = useState(false);
  const shown = all.find((each) => each.number === chosen) ?? all.find((each) => each.number === number) ?? all[0]!;
  const label = (each: Kept) => t("quarantine.ofVersion", { number: each.number, count: each.num_rows });
  const replays = shown.replays ?? [];
  return (
    <SpaceBetween size="m">
      <Header
        variant="h2"
        description={shown.status === "KEPT" ? t("quarantine.until", { at: formatTime(shown.expires_at) }) : t("quarantine.discarded")}
        actions={
          <SpaceBetween size="xs" direction="horizontal">
            <Select
              ariaLabel={t("version")}
              selectedOption={{ value: String(shown.number), label: label(shown) }}
              options={all.map((each) => ({ value: String(each.number), label: label(each) }))}
              onChange={({ detail }) => setChosen(Number(detail.selectedOption.value))}
            />
            {may("developer") && shown.status === "KEPT" && <Button onClick={() => setLeaving(true)}>{t("quarantine.discard")}</Button>}
          </SpaceBetween>
        }
      >
        {t("tab.quarantine")}
      </Header>
      {replays.length > 0 && (
        <Alert type="info">{replays.map((each) => t("quarantine.replayed", { number: each.number, at: formatTime(each.at), by: each.by })).join(" · ")}</Alert>
      )}
      {shown.status === "KEPT" && <QuarantinedRows key={shown.number} dataset={dataset} number={shown.number} />}
      {isLeaving && (
        <Confirm
          title={t("quarantine.discard")}
          verb={t("quarantine.discard")}
          onClose={() => setLeaving(false)}
          onConfirm={async () => {
            await api.DELETE("/v1/datasets/{dataset}/versions/{number}/quarantine", { params: { path: { dataset: dataset.name, number: shown.number } } });
            await queries.invalidateQueries({ queryKey: ["datasets", dataset.name] });
          }}
        >
          <Alert type="warning">{t("quarantine.discardHint")}</Alert>
        </Confirm>
      )}
    </SpaceBetween>
  );
}
