/** Grants one thing to somebody whose role would not be enough, or to another workspace. */

import Autosuggest from "@cloudscape-design/components/autosuggest";
import FormField from "@cloudscape-design/components/form-field";
import Select from "@cloudscape-design/components/select";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { FormModal } from "../../../components/FormModal";
import { type Grantee, granteeOf, type Kind, KINDS, verbOf, ways } from "./granting";

interface Props {
  kind: Kind | null;
  of: string;
  grantee: string;
  grantees: readonly Grantee[];
  onClose: () => void;
}

export function GrantForm({ grantees, onClose, ...initial }: Props) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [kind, setKind] = useState<Kind>(initial.kind ?? "dataset");
  const [of, setOf] = useState(initial.of);
  const [text, setText] = useState(initial.grantee);
  const names = useQuery({ queryKey: [`${kind}s`, "suggested"], queryFn: ways[kind].names });
  const kinds = KINDS.map((value) => ({ value, label: t(`grants.kind.${value}`) }));
  const grantee = granteeOf(text, grantees);
  const label = grantees.find((each) => each.id === grantee)?.label ?? text;
  const groups = (["role", "user", "key"] as const).map((type) => ({
    label: t(`grants.type.${type}`),
    options: grantees.filter((each) => each.type === type).map((each) => ({ value: each.id, label: each.label, filteringTags: [each.label] })),
  }));
  const grant = async () => {
    if (grantee !== null) await ways[kind].put(of, grantee, verbOf(grantee));
    await queries.invalidateQueries({ queryKey: ["grants"] });
  };
  return (
    <FormModal title={t("grants.make")} verb={t("grants.grant")} onSubmit={grant} onClose={onClose} disabled={of === "" || grantee === null}>
      <FormField label={t("grants.what")}>
        <Select options={kinds} selectedOption={kinds.find((each) => each.value === kind)!} onChange={({ detail }) => (setKind(detail.selectedOption.value as Kind), setOf(""))} />
      </FormField>
      <FormField label={t("name")}>
        <Autosuggest
          value={of}
          onChange={({ detail }) => setOf(detail.value.trim())}
          options={(names.data?.items ?? []).map((each) => ({ value: each.name }))}
          statusType={names.isPending ? "loading" : names.isError ? "error" : "finished"}
          errorText={names.error?.message}
          enteredTextLabel={(text) => text}
          empty={t("grants.noThing")}
        />
      </FormField>
      <FormField
        label={t("grants.grantee")}
        description={t("grants.granteeHint")}
        errorText={text !== "" && grantee === null && t("grants.unknown")}
        constraintText={grantee !== null && t(`grants.sentence.${verbOf(grantee)}`, { grantee: label })}
      >
        <Autosuggest value={text} onChange={({ detail }) => setText(detail.value.trim())} options={groups} enteredTextLabel={(entered) => entered} placeholder="ws_..." />
      </FormField>
    </FormModal>
  );
}
