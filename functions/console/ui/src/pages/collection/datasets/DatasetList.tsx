/** The datasets of the workspace. */

import Button from "@cloudscape-design/components/button";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { Link, useGo } from "../../../app/links";
import { useSession } from "../../../app/session";
import { Empty } from "../../../components/Empty";
import { ResourceTable } from "../../../components/ResourceTable";
import { Time } from "../../../components/values";
import { CreateDataset } from "./CreateDataset";

type Dataset = Schemas["Dataset"];

export function DatasetList() {
  const { t } = useTranslation("collection");
  const go = useGo();
  const { may } = useSession();
  const [isCreating, setCreating] = useState(false);
  const actions = may("collector") && (
    <SpaceBetween size="xs" direction="horizontal">
      <Button onClick={() => setCreating(true)}>{t("datasets.create")}</Button>
      <Button variant="primary" onClick={() => go("/collection/upload")}>
        {t("upload.title")}
      </Button>
    </SpaceBetween>
  );
  return (
    <>
      <ResourceTable<Dataset>
        queryKey={["datasets"]}
        read={(cursor) => dataOf(api.GET("/v1/datasets", { params: { query: { limit: 100, cursor } } }))}
        trackBy={(each) => each.name}
        title={t("datasets.title")}
        description={t("datasets.description")}
        actions={actions}
        empty={<Empty title={t("datasets.none")} hint={t("datasets.noneHint")} action={actions} />}
        everyMs={10_000}
        columns={[
          { id: "name", header: t("name"), cell: (each) => <Link to={`/collection/datasets/${each.name}`}>{each.name}</Link>, sortingField: "name", isRowHeader: true },
          { id: "version", header: t("version"), cell: (each) => each.latest_version ?? "–", sortingField: "latest_version", width: 110 },
          { id: "target", header: t("target"), cell: (each) => each.target ?? "–", sortingField: "target" },
          { id: "source", header: t("datasets.from"), cell: (each) => (each.source_id ? <Link to={`/collection/sources/${each.source_id}`}>{t("datasets.fromSource")}</Link> : t("datasets.fromUploads")) },
          { id: "description", header: t("description"), cell: (each) => each.description || "–" },
          { id: "updated", header: t("updated"), cell: (each) => <Time at={each.updated_at} />, sortingField: "updated_at" },
        ]}
      />
      {isCreating && <CreateDataset onClose={() => setCreating(false)} />}
    </>
  );
}
