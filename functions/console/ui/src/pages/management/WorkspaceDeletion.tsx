/** The end of a workspace: with a grace in which it can be kept, and in the end a proof that nothing is left. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { ApiProblem } from "../../api/problem";
import { useMe, useSession } from "../../app/session";
import { Confirm } from "../../components/Confirm";
import { FormModal } from "../../components/FormModal";
import { Loaded } from "../../components/Loaded";
import { Time } from "../../components/values";

type Deletion = Schemas["WorkspaceDeletion"];

export function WorkspaceDeletion() {
  const { t } = useTranslation("management");
  const me = useMe();
  const { may } = useSession();
  const [asked, setAsked] = useState<"delete" | "keep" | null>(null);
  const query = useQuery({ queryKey: ["transfers", "deletion"], queryFn: () => readDeletion(me.workspace_id), refetchInterval: 5_000 });
  const deletion = query.data ?? null;
  const action =
    deletion === null ? (
      <Button onClick={() => setAsked("delete")}>{t("deletion.delete")}</Button>
    ) : (
      deletion.status === "SCHEDULED" && <Button onClick={() => setAsked("keep")}>{t("deletion.keep")}</Button>
    );
  return (
    <Container header={<Header variant="h2" description={t("deletion.hint")} actions={may("admin") && query.isSuccess && action}>{t("deletion.title")}</Header>}>
      <Loaded query={query}>{(found) => (found === null ? t("deletion.none") : <Progress deletion={found} />)}</Loaded>
      {asked === "delete" && <Ask name={me.workspace_name} workspace={me.workspace_id} onClose={() => setAsked(null)} />}
      {asked === "keep" && <Keep name={me.workspace_name} workspace={me.workspace_id} onClose={() => setAsked(null)} />}
    </Container>
  );
}

/** null: it stays. */
async function readDeletion(workspace: string): Promise<Deletion | null> {
  try {
    return await dataOf(api.GET("/v1/workspaces/{workspace}/deletion", { params: { path: { workspace } } }));
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return null;
    throw error;
  }
}

function Progress({ deletion }: { deletion: Deletion }) {
  const { t } = useTranslation("management");
  const list = (counts: Record<string, number> | undefined) => Object.entries(counts ?? {}).map(([name, count]) => `${name} ${count}`).join(", ") || "–";
  return (
    <SpaceBetween size="m">
      {deletion.status === "DONE" ? (
        <Alert type="success" header={t("deletion.status.DONE")}>
          {t("deletion.proof")} <Time at={deletion.finished_at} />
        </Alert>
      ) : (
        <Alert type="warning" header={t(`deletion.status.${deletion.status}`)}>
          {t("deletion.from")} <Time at={deletion.delete_at} />
        </Alert>
      )}
      <KeyValuePairs
        columns={3}
        items={[
          { label: t("deletion.stage"), value: t(`deletion.stages.${deletion.stage}`) },
          { label: t("by"), value: deletion.requested_by },
          { label: t("deletion.waiting"), value: deletion.waiting_for ?? "–" },
          { label: t("deletion.deleted"), value: list(deletion.deleted) },
          { label: t("deletion.remaining"), value: list(deletion.remaining) },
          { label: t("deletion.emptySince"), value: <Time at={deletion.empty_since} /> },
        ]}
      />
    </SpaceBetween>
  );
}

function Ask({ name, workspace, onClose }: { name: string; workspace: string; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [confirm, setConfirm] = useState("");
  const [hours, setHours] = useState("72");
  const schedule = async () => {
    await api.POST("/v1/workspaces/{workspace}/deletion", { params: { path: { workspace } }, body: { confirm, grace_hours: Number(hours) } });
    await queries.invalidateQueries({ queryKey: ["transfers"] });
  };
  return (
    <FormModal title={t("deletion.deleteOf", { name })} verb={t("deletion.delete")} onSubmit={schedule} onClose={onClose} disabled={confirm !== name || hours === ""}>
      <Alert type="error">{t("deletion.warning")}</Alert>
      <FormField label={t("deletion.confirm", { name })}>
        <Input value={confirm} onChange={({ detail }) => setConfirm(detail.value)} autoFocus />
      </FormField>
      <FormField label={t("deletion.grace")} description={t("deletion.graceHint")}>
        <Input value={hours} type="number" onChange={({ detail }) => setHours(detail.value)} />
      </FormField>
    </FormModal>
  );
}

function Keep({ name, workspace, onClose }: { name: string; workspace: string; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const keep = async () => {
    await api.DELETE("/v1/workspaces/{workspace}/deletion", { params: { path: { workspace } } });
    await queries.invalidateQueries({ queryKey: ["transfers"] });
  };
  return (
    <Confirm title={t("deletion.keepOf", { name })} verb={t("deletion.keep")} onConfirm={keep} onClose={onClose}>
      {t("deletion.keepHint")}
    </Confirm>
  );
}
