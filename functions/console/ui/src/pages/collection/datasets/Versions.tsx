/** The versions of a dataset, and how its rows and its quality have gone. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { useSession } from "../../../app/session";
import { Confirm } from "../../../components/Confirm";
import { Empty } from "../../../components/Empty";
import { ResourceTable } from "../../../components/ResourceTable";
import { Status } from "../../../components/Status";
import { formatBytes, formatNumber, Time } from "../../../components/values";

type Version = Schemas["DatasetVersion"];

export function Versions({ dataset, onOpen }: { dataset: Schemas["Dataset"]; onOpen: (number: number) => void }) {
  const { t } = useTranslation("collection");
  const { may } = useSession();
  const queries = useQueryClient();
  const [leaving, setLeaving] = useState<Version | null>(null);
  const path = { dataset: dataset.name };
  return (
    <>
      <ResourceTable<Version>
        variant="borderless"
        queryKey={["datasets", dataset.name, "all-versions"]}
        read={(cursor) => dataOf(api.GET("/v1/datasets/{dataset}/versions", { params: { path, query: { limit: 50, cursor } } }))}
        trackBy={(each) => String(each.number)}
        title={t("tab.versions")}
        everyMs={3_000}
        empty={<Empty title={t("datasets.noVersion")} hint={t("datasets.noVersionHint")} />}
        columns={[
          { id: "number", header: t("version"), cell: (each) => <Link onFollow={() => onOpen(each.number)}>{each.number}</Link>, sortingField: "number", isRowHeader: true },
          { id: "status", header: t("status"), cell: (each) => <Status status={each.status} />, sortingField: "status" },
          { id: "mode", header: t("mode"), cell: (each) => t(`writeMode.${each.mode}`) },
          { id: "rows", header: t("rows"), cell: (each) => formatNumber(each.num_rows, 9), sortingField: "num_rows" },
          { id: "quarantined", header: t("quarantined"), cell: (each) => formatNumber(each.num_quarantined, 9), sortingField: "num_quarantined" },
          { id: "size", header: t("size"), cell: (each) => formatBytes(each.num_bytes), sortingField: "num_bytes" },
          { id: "quality", header: t("quality"), cell: (each) => (each.quality == null ? "–" : <Status status={each.quality} />) },
          { id: "reason", header: t("reason"), cell: (each) => each.status_reason ?? "–" },
          { id: "created", header: t("created"), cell: (each) => <Time at={each.created_at} />, sortingField: "created_at" },
          ...(may("developer")
            ? [
                {
                  id: "delete",
                  header: t("actions"),
                  cell: (each: Version) =>
                    each.status === "READY" && each.number !== dataset.latest_version ? (
                      <Button variant="inline-link" ariaLabel={`${t("common:delete")} ${each.number}`} onClick={() => setLeaving(each)}>
                        {t("common:delete")}
                      </Button>
                    ) : (
                      "–"
                    ),
                },
              ]
            : []),
        ]}
      />
      {leaving !== null && (
        <Confirm
          title={t("versions.delete", { number: leaving.number })}
          verb={t("common:delete")}
          onClose={() => setLeaving(null)}
          onConfirm={async () => {
            await api.DELETE("/v1/datasets/{dataset}/versions/{number}", { params: { path: { ...path, number: leaving.number } } });
            await queries.invalidateQueries({ queryKey: ["datasets", dataset.name] });
          }}
        >
          <Alert type="warning">{t("versions.deleteHint")}</Alert>
        </Confirm>
      )}
    </>
  );
}
