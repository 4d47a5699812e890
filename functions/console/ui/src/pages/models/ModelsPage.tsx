/** All models. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { Link, useGo } from "../../app/links";
import { useSession } from "../../app/session";
import { ResourceTable } from "../../components/ResourceTable";
import { Time } from "../../components/values";

type Model = Schemas["Model"];

export function ModelsPage() {
  const { t } = useTranslation("models");
  const go = useGo();
  const { may } = useSession();
  return (
    <ResourceTable<Model>
      queryKey={["models"]}
      read={(cursor) => dataOf(api.GET("/v1/models", { params: { query: { cursor } } }))}
      everyMs={15_000}
      trackBy={(model) => model.id}
      title={t("models.title")}
      actions={
        may("developer") && (
          <SpaceBetween size="xs" direction="horizontal">
            <Button onClick={() => go("/models/new/import")}>{t("import.title")}</Button>
            <Button variant="primary" onClick={() => go("/training/autotrain")}>
              {t("models.train")}
            </Button>
          </SpaceBetween>
        )
      }
      empty={<Box textAlign="center">{t("models.empty")}</Box>}
      columns={[
        { id: "name", header: t("name"), cell: (model) => <Link to={`/models/${model.name}`}>{model.name}</Link>, sortingField: "name", isRowHeader: true, width: 260 },
        {
          id: "latest",
          header: t("models.latest"),
          cell: (model) => (model.latest_version == null ? "–" : <Link to={`/models/${model.name}/versions/${model.latest_version}`}>{`@${model.latest_version}`}</Link>),
          sortingField: "latest_version",
          width: 140,
        },
        { id: "description", header: t("description"), cell: (model) => model.description || "–", width: 340 },
        { id: "updated", header: t("updated"), cell: (model) => <Time at={model.updated_at} />, sortingField: "updated_at", width: 220 },
      ]}
    />
  );
}
