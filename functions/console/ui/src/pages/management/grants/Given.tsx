/** What this workspace has granted: all of it, of one thing, or to one grantee; the address says which. */

import Button from "@cloudscape-design/components/button";
import TokenGroup from "@cloudscape-design/components/token-group";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf } from "../../../api/client";
import { Link } from "../../../app/links";
import { Confirm } from "../../../components/Confirm";
import { Empty } from "../../../components/Empty";
import { ResourceTable } from "../../../components/ResourceTable";
import { Time } from "../../../components/values";
import { type Grant, KINDS, useGrantees, ways } from "./granting";
import { GrantForm } from "./GrantForm";

export function Given() {
  const { t } = useTranslation("management");
  const [search, setSearch] = useSearchParams();
  const [isMaking, setMaking] = useState(false);
  const [asked, setAsked] = useState<Grant | null>(null);
  const grantees = useGrantees();
  const kind = KINDS.find((each) => each === search.get("kind")) ?? null;
  const of = search.get("of") ?? "";
  const grantee = search.get("grantee") ?? "";
  const isOfOne = kind !== null && of !== "";
  const labelOf = (id: string) => grantees.find((each) => each.id === id)?.label ?? id;
  const only = isOfOne ? t("grants.onlyOf", { kind: t(`grants.kind.${kind}`), name: of }) : grantee === "" ? null : t("grants.onlyTo", { grantee: labelOf(grantee) });
  const make = (
    <Button variant="primary" onClick={() => setMaking(true)}>
      {t("grants.make")}
    </Button>
  );
  return (
    <>
      <ResourceTable<Grant>
        variant="container"
        queryKey={["grants", "given", kind, of, grantee]}
        read={(cursor) => (isOfOne ? ways[kind].list(of, cursor) : dataOf(api.GET("/v1/grants/given", { params: { query: { cursor, grantee: grantee || undefined } } })))}
        trackBy={(each) => `${each.kind} ${each.id} ${each.grantee}`}
        textOf={(each) => `${each.name} ${each.grantee} ${labelOf(each.grantee)}`}
        title={t("grants.given")}
        description={t("grants.givenHint")}
        actions={make}
        beforeTable={only !== null && <TokenGroup items={[{ label: only, dismissLabel: t("grants.showAll") }]} onDismiss={() => setSearch({})} />}
        empty={<Empty title={t("grants.none")} hint={t("grants.noneHint")} action={make} />}
        columns={[
          { id: "kind", header: t("grants.what"), cell: (each) => t(`grants.kind.${each.kind}`), sortingField: "kind", width: 120 },
          { id: "name", header: t("name"), cell: (each) => <Link to={ways[each.kind].pathOf(each.name)}>{each.name}</Link>, isRowHeader: true, sortingField: "name", width: 200 },
          { id: "grantee", header: t("grants.grantee"), cell: (each) => <Link to={`/management/grants?grantee=${each.grantee}`}>{labelOf(each.grantee)}</Link>, width: 300 },
          { id: "verb", header: t("grants.may"), cell: (each) => t(`grants.verb.${each.verb}`), width: 120 },
          { id: "by", header: t("by"), cell: (each) => labelOf(each.granted_by), width: 200 },
          { id: "at", header: t("at"), cell: (each) => <Time at={each.granted_at} />, sortingField: "granted_at", width: 190 },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) => (
              <Button variant="inline-link" ariaLabel={t("grants.revokeOf", { name: each.name, grantee: labelOf(each.grantee) })} onClick={() => setAsked(each)}>
                {t("grants.revoke")}
              </Button>
            ),
          },
        ]}
      />
      {isMaking && <GrantForm kind={kind} of={of} grantee={grantee} grantees={grantees} onClose={() => setMaking(false)} />}
      {asked !== null && <Revoke grant={asked} title={t("grants.revokeOf", { name: asked.name, grantee: labelOf(asked.grantee) })} onClose={() => setAsked(null)} />}
    </>
  );
}

function Revoke({ grant, title, onClose }: { grant: Grant; title: string; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const revoke = async () => {
    await ways[grant.kind].revoke(grant.id, grant.grantee);
    await queries.invalidateQueries({ queryKey: ["grants"] });
  };
  return (
    <Confirm title={title} verb={t("grants.revoke")} onConfirm={revoke} onClose={onClose}>
      {t("grants.revokeHint")}
    </Confirm>
  );
}
