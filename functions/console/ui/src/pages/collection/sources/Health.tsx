/** How a source does, what it fills, and what was made of that. */

import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";
import { Link } from "../../../app/links";
import { useMe } from "../../../app/session";
import { cellText } from "../../../components/cells";
import { Empty } from "../../../components/Empty";
import { Loaded } from "../../../components/Loaded";
import { Time } from "../../../components/values";
import { maySource, type Source } from "./source";

export function Health({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  return (
    <SpaceBetween size="l">
      <Container>
        <KeyValuePairs
          columns={4}
          items={[
            { label: t("sources.collector"), value: t(`collector.${source.collector.type}`) },
            { label: t("sources.schedule"), value: source.policy.schedule ?? t("sources.byHand") },
            { label: t("sources.lastRun"), value: <Time at={source.last_run_at} /> },
            { label: t("sources.nextRun"), value: <Time at={source.next_run_at} /> },
            { label: t("sources.owner"), value: source.owner || "–" },
            { label: t("sources.purpose"), value: source.purpose || "–" },
            { label: t("sources.consent"), value: source.consent || "–" },
            { label: t("sources.may"), value: t(`verb.${source.verb}`) },
          ]}
        />
      </Container>
      {maySource(source, "read") && <Datasets source={source} />}
    </SpaceBetween>
  );
}

function Datasets({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const me = useMe();
  const isOwn = source.workspace_id === me.workspace_id;
  const datasets = useQuery({
    queryKey: ["sources", "one", source.name, "datasets", isOwn],
    queryFn: async () => {
      const path = { source: source.id };
      const { items } = await dataOf(api.GET("/v1/sources/{source}/datasets", { params: { path, query: { limit: 100 } } }));
      const lineage = isOwn ? await dataOf(api.GET("/v1/sources/{source}/lineage", { params: { path } })) : null;
      const models = new Map((lineage?.datasets ?? []).map((each) => [each.dataset_id, each.models ?? []]));
      return items.map((each) => ({ ...each, models: models.get(each.dataset_id) ?? [] }));
    },
    refetchInterval: 5_000,
  });
  return (
    <Loaded query={datasets}>
      {(found) => (
        <Table
          header={
            <Header variant="h2" counter={`(${found.length})`}>
              {t("datasets.title")}
            </Header>
          }
          items={found}
          trackBy={(each) => each.stream}
          ariaLabels={{ tableLabel: t("datasets.title") }}
          empty={<Empty title={t("sources.noDatasets")} hint={t("sources.noDatasetsHint")} />}
          columnDefinitions={[
            { id: "stream", header: t("sources.stream"), cell: (each) => cellText(each.stream), isRowHeader: true },
            { id: "dataset", header: t("dataset"), cell: (each) => <Link to={`/collection/datasets/${isOwn ? each.dataset_name : each.dataset_id}`}>{each.dataset_name}</Link> },
            { id: "version", header: t("version"), cell: (each) => each.latest_version ?? "–" },
            { id: "models", header: t("models"), cell: (each) => each.models.map((model) => `${model.model_name}@${model.number}`).join(", ") || "–" },
          ]}
        />
      )}
    </Loaded>
  );
}
