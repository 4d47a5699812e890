/** Who else may do what with a source. */

import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";
import { AccessTable } from "../AccessTable";
import { type Source, VERBS } from "./source";

export function Grants({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const at = (grantee: string) => ({ path: { source: source.id, grantee } });
  return (
    <AccessTable
      queryKey={["sources", "one", source.name, "grants"]}
      verbs={VERBS}
      granteeHint={t("grants.granteeHint")}
      read={(cursor) => dataOf(api.GET("/v1/sources/{source}/grants", { params: { path: { source: source.id }, query: { limit: 50, cursor } } }))}
      grant={(grantee, verb) => dataOf(api.PUT("/v1/sources/{source}/grants/{grantee}", { params: at(grantee), body: { verb } }))}
      revoke={(grantee) => api.DELETE("/v1/sources/{source}/grants/{grantee}", { params: at(grantee) })}
    />
  );
}
