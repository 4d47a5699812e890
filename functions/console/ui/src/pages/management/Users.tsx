/** People of the workspace: invited by e-mail, with a role. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { API_ROOT, api, dataOf, ifMatch, newIdempotencyKey, type Schemas } from "../../api/client";
import { useGo } from "../../app/links";
import { useNotices } from "../../app/notices";
import type { Role } from "../../app/session";
import { Confirm } from "../../components/Confirm";
import { Empty } from "../../components/Empty";
import { FormModal } from "../../components/FormModal";
import { ResourceTable } from "../../components/ResourceTable";
import { ShownOnce } from "../../components/ShownOnce";
import { Status } from "../../components/Status";
import { Time } from "../../components/values";
import { RoleSelect } from "./RoleSelect";

type User = Schemas["User"];
type Asked = { what: "role" | "remove" | "again"; user: User };

export function Users() {
  const { t } = useTranslation("management");
  const go = useGo();
  const [isInviting, setInviting] = useState(false);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [invited, setInvited] = useState<Schemas["UserInvited"] | null>(null);
  const close = () => setAsked(null);
  const invite = (
    <Button variant="primary" onClick={() => setInviting(true)}>
      {t("users.invite")}
    </Button>
  );
  return (
    <>
      <ResourceTable<User>
        queryKey={["users"]}
        read={(cursor) => dataOf(api.GET("/v1/users", { params: { query: { cursor } } }))}
        trackBy={(each) => each.email}
        title={t("users.title")}
        description={t("users.hint")}
        actions={invite}
        empty={<Empty title={t("users.none")} hint={t("users.noneHint")} action={invite} />}
        columns={[
          { id: "email", header: t("users.email"), cell: (each) => each.email, isRowHeader: true, sortingField: "email" },
          { id: "name", header: t("name"), cell: (each) => each.name || "–", sortingField: "name" },
          { id: "role", header: t("role"), cell: (each) => t(`role.${each.role}`, { ns: "common" }), sortingField: "role" },
          { id: "status", header: t("status"), cell: (each) => <Status status={each.status}>{t(`users.state.${each.status}`, { defaultValue: each.status })}</Status> },
          { id: "joined", header: t("users.joined"), cell: (each) => <Time at={each.joined_at} /> },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) => (
              <ButtonDropdown
                variant="inline-icon"
                ariaLabel={t("users.actions", { email: each.email })}
                expandToViewport
                items={[
                  { id: "role", text: t("users.role") },
                  { id: "grants", text: t("grants.title") },
                  { id: "again", text: t("users.again"), disabled: each.joined_at != null },
                  { id: "remove", text: t("users.remove") },
                ]}
                onItemClick={({ detail }) => (detail.id === "grants" ? go(`/management/grants?grantee=${each.id}`) : setAsked({ what: detail.id as Asked["what"], user: each }))}
              />
            ),
          },
        ]}
      />
      {isInviting && <Invite onClose={() => setInviting(false)} onInvited={setInvited} />}
      {asked?.what === "role" && <ChangeRole user={asked.user} onClose={close} />}
      {asked?.what === "remove" && <Remove user={asked.user} onClose={close} />}
      {asked?.what === "again" && <InviteAgain user={asked.user} onClose={close} onInvited={setInvited} />}
      {invited !== null && (
        <ShownOnce title={t("users.invitation", { email: invited.email })} secret={`${API_ROOT}/console/#invitation=${invited.invitation}`} onClose={() => setInvited(null)}>
          {t("users.invitationHint")}
        </ShownOnce>
      )}
    </>
  );
}

function Invite({ onClose, onInvited }: { onClose: () => void; onInvited: (invited: Schemas["UserInvited"]) => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const invite = async () => {
    const header = { "Idempotency-Key": key };
    onInvited(await dataOf(api.POST("/v1/users", { params: { header }, body: { email: email.trim(), name, role } })));
    await queries.invalidateQueries({ queryKey: ["users"] });
  };
  return (
    <FormModal title={t("users.invite")} verb={t("users.invite")} onSubmit={invite} onClose={onClose} disabled={email.trim() === ""}>
      <FormField label={t("users.email")}>
        <Input value={email} type="email" onChange={({ detail }) => setEmail(detail.value)} autoFocus />
      </FormField>
      <FormField label={t("name")}>
        <Input value={name} onChange={({ detail }) => setName(detail.value)} />
      </FormField>
      <RoleSelect role={role} onChange={setRole} />
    </FormModal>
  );
}

function ChangeRole({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const notices = useNotices();
  const [role, setRole] = useState<Role>(user.role);
  const save = async () => {
    await api.PATCH("/v1/users/{user}", { params: { path: { user: user.id }, header: ifMatch(user.revision ?? 1) }, body: { role } });
    notices.success(t("users.changed", { email: user.email }));
    await queries.invalidateQueries({ queryKey: ["users"] });
  };
  return (
    <FormModal title={t("users.roleOf", { email: user.email })} verb={t("save", { ns: "common" })} onSubmit={save} onClose={onClose} disabled={role === user.role}>
      <RoleSelect role={role} onChange={setRole} />
    </FormModal>
  );
}

function Remove({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const remove = async () => {
    await api.DELETE("/v1/users/{user}", { params: { path: { user: user.id } } });
    await queries.invalidateQueries({ queryKey: ["users"] });
  };
  return (
    <Confirm title={t("users.removeOf", { email: user.email })} verb={t("users.remove")} onConfirm={remove} onClose={onClose}>
      {t("users.removeHint")}
    </Confirm>
  );
}

function InviteAgain({ user, onClose, onInvited }: { user: User; onClose: () => void; onInvited: (invited: Schemas["UserInvited"]) => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const invite = async () => {
    const params = { path: { user: user.id }, header: { "Idempotency-Key": key } };
    onInvited(await dataOf(api.POST("/v1/users/{user}/invitation", { params })));
    await queries.invalidateQueries({ queryKey: ["users"] });
  };
  return (
    <Confirm title={t("users.again")} verb={t("users.invite")} onConfirm={invite} onClose={onClose}>
      {t("users.againHint", { email: user.email })}
    </Confirm>
  );
}
