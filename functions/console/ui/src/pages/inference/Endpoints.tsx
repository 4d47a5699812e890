/** All endpoints of the workspace. */

import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../api/client";
import { Link, LinkButton } from "../../app/links";
import { useSession } from "../../app/session";
import { Empty } from "../../components/Empty";
import { ResourceTable } from "../../components/ResourceTable";
import { Status } from "../../components/Status";
import { formatNumber, Time } from "../../components/values";
import { type Endpoint, engineOf, refOf } from "./endpoint";

export function Endpoints() {
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const deploy = may("developer") && (
    <LinkButton variant="primary" to="/inference/deploy">
      {t("deploy.action")}
    </LinkButton>
  );
  return (
    <ResourceTable<Endpoint>
      queryKey={["endpoints"]}
      read={(cursor) => dataOf(api.GET("/v1/endpoints", { params: { query: { cursor, limit: 100 } } }))}
      trackBy={(each) => each.name}
      title={t("endpoints")}
      description={t("endpointsHint")}
      actions={deploy}
      everyMs={3_000}
      empty={<Empty title={t("none")} hint={t("noneHint")} action={deploy} />}
      columns={[
        {
          id: "name",
          header: t("name"),
          cell: (each) => <Link to={`/inference/endpoints/${each.name}`}>{each.name}</Link>,
          sortingField: "name",
          isRowHeader: true,
        },
        { id: "status", header: t("status"), cell: (each) => <Status status={each.status}>{t(`state.${each.status}`)}</Status>, sortingField: "status" },
        { id: "serving", header: t("serving"), cell: (each) => refOf(each.serving) },
        {
          id: "rollout",
          header: t("rollout.title"),
          cell: (each) => (each.rollout == null ? "–" : `${refOf(each.rollout.model)}: ${formatNumber(each.rollout.percent)} %`),
        },
        { id: "engine", header: t("engine"), cell: (each) => engineOf((each.serving ?? each.candidate)?.engine) },
        { id: "reason", header: t("reason"), cell: (each) => each.status_reason ?? "–", width: 300 },
        { id: "updated", header: t("updated"), cell: (each) => <Time at={each.updated_at} />, sortingField: "updated_at" },
      ]}
    />
  );
}
