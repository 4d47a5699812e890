/** Workspaces: the boundary of every permission. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Textarea from "@cloudscape-design/components/textarea";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, ifMatch, newIdempotencyKey, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Empty } from "../../components/Empty";
import { FormModal } from "../../components/FormModal";
import { ResourceTable } from "../../components/ResourceTable";
import { ShownOnce } from "../../components/ShownOnce";
import { Time } from "../../components/values";

type Workspace = Schemas["Workspace"];

export function Workspaces() {
  const { t } = useTranslation("management");
  const { may, me } = useSession();
  const [isMaking, setMaking] = useState(false);
  const [edited, setEdited] = useState<Workspace | null>(null);
  const [made, setMade] = useState<Schemas["WorkspaceCreated"] | null>(null);
  return (
    <>
      <ResourceTable<Workspace>
        queryKey={["workspaces"]}
        read={(cursor) => dataOf(api.GET("/v1/workspaces", { params: { query: { cursor } } }))}
        trackBy={(each) => each.id}
        title={t("workspaces.title")}
        description={t("workspaces.hint")}
        actions={may("admin") && <Button variant="primary" onClick={() => setMaking(true)}>{t("workspaces.make")}</Button>}
        empty={<Empty title={t("workspaces.none")} />}
        columns={[
          { id: "name", header: t("name"), cell: (each) => <Box fontWeight={each.id === me?.workspace_id ? "bold" : "normal"}>{each.name}</Box>, isRowHeader: true, sortingField: "name" },
          { id: "description", header: t("description"), cell: (each) => each.description || "–" },
          { id: "id", header: "ID", cell: (each) => each.id },
          { id: "made", header: t("made"), cell: (each) => <Time at={each.created_at} />, sortingField: "created_at" },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) =>
              may("admin") && each.id === me?.workspace_id ? (
                <Button variant="inline-link" onClick={() => setEdited(each)} ariaLabel={t("workspaces.edit", { name: each.name })}>
                  {t("edit", { ns: "common" })}
                </Button>
              ) : (
                "–"
              ),
          },
        ]}
      />
      {isMaking && <Make onClose={() => setMaking(false)} onMade={setMade} />}
      {edited !== null && <Edit workspace={edited} onClose={() => setEdited(null)} />}
      {made !== null && (
        <ShownOnce title={t("workspaces.key", { name: made.name })} secret={made.secret} onClose={() => setMade(null)}>
          {t("workspaces.keyHint")}
        </ShownOnce>
      )}
    </>
  );
}

function Make({ onClose, onMade }: { onClose: () => void; onMade: (made: Schemas["WorkspaceCreated"]) => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const make = async () => {
    const header = { "Idempotency-Key": key };
    onMade(await dataOf(api.POST("/v1/workspaces", { params: { header }, body: { name, description } })));
    await queries.invalidateQueries({ queryKey: ["workspaces"] });
  };
  return (
    <FormModal title={t("workspaces.make")} verb={t("create", { ns: "common" })} onSubmit={make} onClose={onClose} disabled={name === ""}>
      <FormField label={t("name")} description={t("nameHint")}>
        <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
      </FormField>
      <FormField label={t("description")}>
        <Textarea value={description} rows={2} onChange={({ detail }) => setDescription(detail.value)} />
      </FormField>
    </FormModal>
  );
}

function Edit({ workspace, onClose }: { workspace: Workspace; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const notices = useNotices();
  const [description, setDescription] = useState(workspace.description ?? "");
  const save = async () => {
    const params = { path: { workspace: workspace.id }, header: ifMatch(workspace.revision ?? 1) };
    await api.PATCH("/v1/workspaces/{workspace}", { params, body: { description } });
    notices.success(t("saved"));
    await queries.invalidateQueries({ queryKey: ["workspaces"] });
  };
  return (
    <FormModal title={t("workspaces.edit", { name: workspace.name })} verb={t("save", { ns: "common" })} onSubmit={save} onClose={onClose}>
      <FormField label={t("description")}>
        <Textarea value={description} rows={3} onChange={({ detail }) => setDescription(detail.value)} />
      </FormField>
    </FormModal>
  );
}
