/** Who else may do what with one thing, beside the roles of its workspace. */

import Button from "@cloudscape-design/components/button";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { useNotices } from "../../app/notices";
import { Empty } from "../../components/Empty";
import { ProblemAlert } from "../../components/ProblemAlert";
import { type ApiPage, ResourceTable } from "../../components/ResourceTable";
import { Time } from "../../components/values";

interface AnyGrant {
  grantee: string;
  verb: string;
  granted_by: string;
  granted_at: string;
}

interface Props<V extends string> {
  queryKey: readonly unknown[];
  verbs: readonly V[];
  granteeHint: string;
  read: (cursor: string | undefined) => Promise<ApiPage<AnyGrant>>;
  grant: (grantee: string, verb: V) => Promise<unknown>;
  revoke: (grantee: string) => Promise<unknown>;
}

export function AccessTable<V extends string>({ queryKey, verbs, granteeHint, read, grant, revoke }: Props<V>) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const queries = useQueryClient();
  const [grantee, setGrantee] = useState("");
  const [verb, setVerb] = useState<V>(verbs[0]!);
  const refresh = () => queries.invalidateQueries({ queryKey });
  const granting = useMutation({ mutationFn: () => grant(grantee, verb), onSuccess: () => (setGrantee(""), refresh()) });
  const revoking = useMutation({ mutationFn: revoke, onSuccess: refresh, onError: notices.failure });
  const options = verbs.map((each) => ({ value: each, label: t(`verb.${each}`) }));
  return (
    <SpaceBetween size="l">
      <ResourceTable<AnyGrant>
        variant="borderless"
        queryKey={queryKey}
        read={read}
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
              <Button variant="inline-link" ariaLabel={`${t("grants.revoke")} ${each.grantee}`} onClick={() => revoking.mutate(each.grantee)}>
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
            <FormField label={t("grants.grantee")} description={granteeHint}>
              <Input value={grantee} onChange={({ detail }) => setGrantee(detail.value.trim())} />
            </FormField>
            <FormField label={t("grants.verb")} description={t("grants.verbHint")}>
              <Select options={options} selectedOption={options.find((each) => each.value === verb) ?? null} onChange={({ detail }) => setVerb(detail.selectedOption.value as V)} />
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
