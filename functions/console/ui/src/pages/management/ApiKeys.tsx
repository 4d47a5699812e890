/** Credentials of programs: made with a role, rotated without a gap, revoked at once. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import DatePicker from "@cloudscape-design/components/date-picker";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../api/client";
import { useGo } from "../../app/links";
import type { Role } from "../../app/session";
import { Confirm } from "../../components/Confirm";
import { Empty } from "../../components/Empty";
import { FormModal } from "../../components/FormModal";
import { ResourceTable } from "../../components/ResourceTable";
import { ShownOnce } from "../../components/ShownOnce";
import { formatNumber, Time } from "../../components/values";
import { RoleSelect } from "./RoleSelect";

type Key = Schemas["ApiKey"];
type Made = Schemas["ApiKeyCreated"];

export function ApiKeys() {
  const { t } = useTranslation("management");
  const go = useGo();
  const [isMaking, setMaking] = useState(false);
  const [asked, setAsked] = useState<{ what: string; key: Key } | null>(null);
  const [made, setMade] = useState<Made | null>(null);
  const make = (
    <Button variant="primary" onClick={() => setMaking(true)}>
      {t("keys.make")}
    </Button>
  );
  return (
    <>
      <ResourceTable<Key>
        queryKey={["api-keys"]}
        read={(cursor) => dataOf(api.GET("/v1/api-keys", { params: { query: { cursor } } }))}
        trackBy={(each) => each.id}
        title={t("keys.title")}
        description={t("keys.hint")}
        actions={make}
        empty={<Empty title={t("keys.none")} action={make} />}
        columns={[
          { id: "name", header: t("name"), cell: (each) => each.name, isRowHeader: true, sortingField: "name" },
          { id: "role", header: t("role"), cell: (each) => t(`role.${each.role}`, { ns: "common" }), sortingField: "role" },
          { id: "status", header: t("status"), cell: (each) => <KeyStatus apiKey={each} /> },
          { id: "limits", header: t("keys.limits"), cell: (each) => <Limits apiKey={each} /> },
          { id: "id", header: "ID", cell: (each) => each.id },
          { id: "made", header: t("made"), cell: (each) => <Time at={each.created_at} />, sortingField: "created_at" },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) =>
              each.revoked_at == null ? (
                <ButtonDropdown
                  variant="inline-icon"
                  ariaLabel={t("keys.actions", { name: each.name })}
                  expandToViewport
                  items={[
                    { id: "rotate", text: t("keys.rotate") },
                    { id: "grants", text: t("grants.title") },
                    { id: "revoke", text: t("keys.revoke") },
                  ]}
                  onItemClick={({ detail }) => (detail.id === "grants" ? go(`/management/grants?grantee=${each.id}`) : setAsked({ what: detail.id, key: each }))}
                />
              ) : (
                "–"
              ),
          },
        ]}
      />
      {isMaking && <Make onClose={() => setMaking(false)} onMade={setMade} />}
      {asked?.what === "rotate" && <Rotate apiKey={asked.key} onClose={() => setAsked(null)} onMade={setMade} />}
      {asked?.what === "revoke" && <Revoke apiKey={asked.key} onClose={() => setAsked(null)} />}
      {made !== null && <ShownOnce title={t("keys.secret", { name: made.name })} secret={made.secret} onClose={() => setMade(null)} />}
    </>
  );
}

function KeyStatus({ apiKey }: { apiKey: Key }) {
  const { t } = useTranslation("management");
  if (apiKey.revoked_at != null) return <StatusIndicator type="stopped">{t("keys.revoked")}</StatusIndicator>;
  if (apiKey.expires_at == null) return <StatusIndicator type="success">{t("keys.active")}</StatusIndicator>;
  if (Date.parse(apiKey.expires_at) < Date.now()) return <StatusIndicator type="stopped">{t("keys.expired")}</StatusIndicator>;
  return (
    <StatusIndicator type="success">
      {t("keys.until")} <Time at={apiKey.expires_at} />
    </StatusIndicator>
  );
}

function Limits({ apiKey }: { apiKey: Key }) {
  const { t } = useTranslation("management");
  const limits = [
    apiKey.max_requests_per_second == null ? null : t("keys.perSecond", { count: formatNumber(apiKey.max_requests_per_second) as never }),
    apiKey.max_requests_per_day == null ? null : t("keys.perDay", { count: formatNumber(apiKey.max_requests_per_day) as never }),
  ].filter((each) => each !== null);
  return <>{limits.length === 0 ? "–" : limits.join(", ")}</>;
}

function Make({ onClose, onMade }: { onClose: () => void; onMade: (made: Made) => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [expires, setExpires] = useState("");
  const [perSecond, setPerSecond] = useState("");
  const [perDay, setPerDay] = useState("");
  const make = async () => {
    const body = {
      name,
      role,
      expires_at: expires === "" ? null : new Date(`${expires}T23:59:59`).toISOString(),
      max_requests_per_second: perSecond === "" ? null : Number(perSecond),
      max_requests_per_day: perDay === "" ? null : Number(perDay),
    };
    onMade(await dataOf(api.POST("/v1/api-keys", { params: { header: { "Idempotency-Key": key } }, body })));
    await queries.invalidateQueries({ queryKey: ["api-keys"] });
  };
  return (
    <FormModal title={t("keys.make")} verb={t("create", { ns: "common" })} onSubmit={make} onClose={onClose} disabled={name === ""}>
      <FormField label={t("name")}>
        <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
      </FormField>
      <RoleSelect role={role} onChange={setRole} />
      <FormField label={t("keys.expires")} description={t("keys.expiresHint")}>
        <DatePicker value={expires} onChange={({ detail }) => setExpires(detail.value)} placeholder="YYYY/MM/DD" isDateEnabled={(date) => date.getTime() > Date.now()} />
      </FormField>
      <FormField label={t("keys.maxPerSecond")} description={t("keys.maxHint")}>
        <Input type="number" value={perSecond} onChange={({ detail }) => setPerSecond(detail.value)} />
      </FormField>
      <FormField label={t("keys.maxPerDay")} description={t("keys.maxHint")}>
        <Input type="number" value={perDay} onChange={({ detail }) => setPerDay(detail.value)} />
      </FormField>
    </FormModal>
  );
}

const OVERLAPS = ["0", "3600", "86400", "604800"] as const;

function Rotate({ apiKey, onClose, onMade }: { apiKey: Key; onClose: () => void; onMade: (made: Made) => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const [overlap, setOverlap] = useState<string>("86400");
  const options = OVERLAPS.map((value) => ({ value, label: t(`keys.overlap${value}`) }));
  const rotate = async () => {
    const params = { path: { api_key: apiKey.id }, header: { "Idempotency-Key": idempotencyKey } };
    onMade(await dataOf(api.POST("/v1/api-keys/{api_key}/rotate", { params, body: { overlap_seconds: Number(overlap) } })));
    await queries.invalidateQueries({ queryKey: ["api-keys"] });
  };
  return (
    <FormModal title={t("keys.rotateOf", { name: apiKey.name })} verb={t("keys.rotate")} onSubmit={rotate} onClose={onClose}>
      <FormField label={t("keys.overlap")} description={t("keys.overlapHint")}>
        <Select options={options} selectedOption={options.find((each) => each.value === overlap)!} onChange={({ detail }) => setOverlap(detail.selectedOption.value!)} />
      </FormField>
    </FormModal>
  );
}

function Revoke({ apiKey, onClose }: { apiKey: Key; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const revoke = async () => {
    await api.DELETE("/v1/api-keys/{api_key}", { params: { path: { api_key: apiKey.id } } });
    await queries.invalidateQueries({ queryKey: ["api-keys"] });
  };
  return (
    <Confirm title={t("keys.revokeOf", { name: apiKey.name })} verb={t("keys.revoke")} onConfirm={revoke} onClose={onClose}>
      {t("keys.revokeHint")}
    </Confirm>
  );
}
