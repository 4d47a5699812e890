/** Whether a version may be served, where the workspace asks for that: what was decided, and deciding it. */

import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, type Schemas } from "../../api/client";
import { FormModal } from "../../components/FormModal";
import { Status } from "../../components/Status";

export type Decision = Schemas["Approval"]["decision"];

export function ApprovalStatus({ approval }: { approval: Schemas["Approval"] | null | undefined }) {
  const { t } = useTranslation("models");
  const state = approval?.decision ?? "undecided";
  return <Status status={state}>{t(`approval.state.${state}`)}</Status>;
}

/** Both decisions, each with a note; the API refuses developers who made the version. */
export function Decide({ version }: { version: Schemas["ModelVersionDetail"] }) {
  const { t } = useTranslation("models");
  const [asked, setAsked] = useState<Decision | null>(null);
  return (
    <SpaceBetween size="xs" direction="horizontal">
      <Button onClick={() => setAsked("approved")}>{t("approval.verb.approved")}</Button>
      <Button onClick={() => setAsked("rejected")}>{t("approval.verb.rejected")}</Button>
      {asked !== null && <Ask version={version} decision={asked} onClose={() => setAsked(null)} />}
    </SpaceBetween>
  );
}

function Ask({ version, decision, onClose }: { version: Schemas["ModelVersionDetail"]; decision: Decision; onClose: () => void }) {
  const { t } = useTranslation("models");
  const queries = useQueryClient();
  const [note, setNote] = useState("");
  const decide = async () => {
    const path = { model: version.model_name, number: version.number };
    await api.POST("/v1/models/{model}/versions/{number}/approval", { params: { path }, body: { decision, note } });
    await queries.invalidateQueries({ queryKey: ["model", version.model_name] });
  };
  return (
    <FormModal title={t(`approval.title.${decision}`, { name: `${version.model_name}@${version.number}` })} verb={t(`approval.verb.${decision}`)} onSubmit={decide} onClose={onClose}>
      <FormField label={t("approval.note")} description={t("approval.noteHint")}>
        <Textarea value={note} rows={3} onChange={({ detail }) => setNote(detail.value)} />
      </FormField>
    </FormModal>
  );
}
