/** Where a dataset comes from, and what was made of it. */

import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { Link, useGo } from "../../../app/links";
import { Chart } from "../../../components/Chart";
import { Empty } from "../../../components/Empty";
import { Loaded } from "../../../components/Loaded";
import { optionOf, pictureOf } from "./lineagePicture";

export function Lineage({ dataset }: { dataset: Schemas["Dataset"] }) {
  const { t } = useTranslation("collection");
  const lineage = useQuery({
    queryKey: ["datasets", dataset.name, "lineage"],
    queryFn: () => dataOf(api.GET("/v1/datasets/{dataset}/lineage", { params: { path: { dataset: dataset.name } } })),
  });
  return (
    <Loaded query={lineage}>
      {(found) => (
        <SpaceBetween size="l">
          <KeyValuePairs
            columns={3}
            items={[
              {
                label: t("source"),
                value: found.source_id == null ? t("datasets.fromUploads") : <Link to={`/collection/sources/${found.source_id}`}>{found.source_name ?? found.source_id}</Link>,
              },
              { label: t("streams"), value: (found.streams ?? []).join(", ") || "–" },
            ]}
          />
          {(found.models ?? []).length > 0 && <Picture lineage={found} />}
          <Table
            variant="borderless"
            header={<Header variant="h2">{t("models")}</Header>}
            items={found.models ?? []}
            trackBy={(each) => `${each.model_name}@${each.number}`}
            ariaLabels={{ tableLabel: t("models") }}
            empty={<Empty title={t("lineage.none")} hint={t("lineage.noneHint")} />}
            columnDefinitions={[
              { id: "model", header: t("model"), cell: (each) => <Link to={`/models/${each.model_name}`}>{`${each.model_name}@${each.number}`}</Link>, isRowHeader: true },
              { id: "versions", header: t("lineage.read"), cell: (each) => Object.entries(each.dataset_versions ?? {}).map(([channel, number]) => `${channel}: ${number}`).join(", ") || "–" },
              { id: "parents", header: t("lineage.parents"), cell: (each) => (each.parents ?? []).join(", ") || "–" },
              { id: "job", header: t("job"), cell: (each) => <Link to={`/training/jobs/${each.job_id}`}>{each.job_id}</Link> },
            ]}
          />
        </SpaceBetween>
      )}
    </Loaded>
  );
}

function Picture({ lineage }: { lineage: Schemas["DatasetLineage"] }) {
  const { t } = useTranslation("collection");
  const go = useGo();
  const picture = useMemo(() => pictureOf(lineage), [lineage]);
  const option = useMemo(() => optionOf(picture), [picture]);
  const open = useCallback(({ name }: { name: string }) => {
    const node = picture.nodes.find((each) => each.id === name);
    if (node !== undefined) go(node.href);
  }, [picture, go]);
  return <Chart option={option} label={t("lineage.picture", { name: lineage.dataset_name })} onClick={open} />;
}
