/** All studies. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";
import { Link, useGo } from "../../../app/links";
import { useSession } from "../../../app/session";
import { ResourceTable } from "../../../components/ResourceTable";
import { isMoving, Status } from "../../../components/Status";
import { Time } from "../../../components/values";
import type { Study } from "./pages";

export function StudiesPage() {
  const { t } = useTranslation("training");
  const go = useGo();
  const { may } = useSession();
  const dataOfStudy = (study: Study) => Object.values(study.channels).map((pin) => `${pin.dataset_name}@${pin.number}`).join(", ");
  return (
    <ResourceTable<Study>
      queryKey={["studies"]}
      read={(cursor) => dataOf(api.GET("/v1/studies", { params: { query: { cursor } } }))}
      everyMs={(studies) => (studies.some((study) => study.status != null && isMoving(study.status)) ? 3_000 : 15_000)}
      trackBy={(study) => study.id}
      textOf={(study) => `${study.name} ${study.spec.kind} ${dataOfStudy(study)} ${study.status ?? ""}`}
      title={t("studies.title")}
      description={t("studies.description")}
      actions={may("developer") && <Button variant="primary" onClick={() => go("/training/search")}>{t("search.title")}</Button>}
      empty={
        <Box textAlign="center">
          {t("studies.empty")}
        </Box>
      }
      columns={[
        { id: "name", header: t("study.name"), cell: (study) => <Link to={`/training/studies/${study.name}`}>{study.name}</Link>, sortingField: "name", isRowHeader: true, width: 260 },
        { id: "kind", header: t("kind"), cell: (study) => t(`kinds.${study.spec.kind}`), width: 140 },
        { id: "data", header: t("dataset"), cell: dataOfStudy, width: 220 },
        { id: "status", header: t("status"), cell: (study) => (study.status == null ? "–" : <Status status={study.status}>{t(`statuses.${study.status}`)}</Status>), width: 140 },
        { id: "jobs", header: t("jobs.title"), cell: (study) => study.job_ids.length, width: 100 },
        { id: "updated", header: t("study.updated"), cell: (study) => <Time at={study.updated_at} />, sortingField: "updated_at", width: 220 },
      ]}
    />
  );
}
