/** Who else may do what with a source. */

import Button from "@cloudscape-design/components/button";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { useNotices } from "../../../app/notices";
import { Empty } from "../../../components/Empty";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { ResourceTable } from "../../../components/ResourceTable";
import { Time } from "../../../components/values";
import type { Source, Verb } from "./source";

type Grant = Schemas["SourceGrant"];
const VERBS: readonly Verb[] = ["see", "read", "run", "edit"];

export function Grants({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const queries = useQueryClient();
  const [grantee, setGrantee] = useState("");
  const [verb, setVerb] = useState<Verb>("read");
  const refresh = () => queries.invalidateQueries({ queryKey: ["sources", "one", source.name, "grants"] });
  const granting = useMutation({
    mutationFn: () => dataOf(api.PUT("/v1/sources/{source}/grants/{grantee}", { params: { path: { source: source.id, grantee } }, body: { verb } })),
    onSuccess: () => (setGrantee(""), refresh()),
  });
  const revoking = useMutation({
    mutationFn: (each: Grant) => api.DELETE("/v1/sources/{source}/grants/{grantee}", { params: { path: { source: source.id, grantee: each.grantee } } }),
    onSuccess: refresh,
    onError: notices.failure,
  });
  const verbs = VERBS.map((each) => ({ value: each, label: t(`verb.${each}`) }));
  return (
    <SpaceBetween size="l">
      <ResourceTable<Grant>
        variant="borderless"
        queryKey={["sources", "one", source.name, "grants"]}
        read={(cursor) => dataOf(api.GET("/v1/sources/{source}/grants", { params: { path: { source: source.id }, query: { limit: 50, cursor } } }))}
        trackBy={(each) => each.grantee}
        title={t("sourceTab.grants")}
        description={t("grants.hint")}
        empty={<Empty title={t("grants.none")} />}
        columns={[
          { id: "grantee", header: t("grants.grantee"), cell: (each) => each.grantee, isRowHeader: true },
          { id: "verb", header: t("grants.verb"), cell: (each) => t(`verb.${each.verb}`) },
          { id: "by", header: t("grants.by"), cell: (each) => each.granted_by },
          { id: "at", header: t("created"), cell: (each) => <Time at={each.granted_at} /> },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) => (
              <Button variant="inline-link" ariaLabel={`${t("grants.revoke")} ${each.grantee}`} onClick={() => revoking.mutate(each)}>
                {t("grants.revoke")}
              </Button>
            ),
          },
        ]}
      />
      <form onSubmit={(event) => (event.preventDefault(), granting.mutate())}>
        <SpaceBetween size="m">
          {granting.isError && <ProblemAlert error={granting.error} />}
          <ColumnLayout columns={2}>
            <FormField label={t("grants.grantee")} description={t("grants.granteeHint")}>
              <Input value={grantee} onChange={({ detail }) => setGrantee(detail.value.trim())} />
            </FormField>
            <FormField label={t("grants.verb")} description={t("grants.verbHint")}>
              <Select options={verbs} selectedOption={verbs.find((each) => each.value === verb) ?? null} onChange={({ detail }) => setVerb(detail.selectedOption.value as Verb)} />
            </FormField>
          </ColumnLayout>
          <Button variant="primary" disabled={grantee === ""} loading={granting.isPending}>
            {t("grants.grant")}
          </Button>
        </SpaceBetween>
      </form>
    </SpaceBetween>
  );
}
