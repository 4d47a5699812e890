/** Which events are told to which channels. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Multiselect from "@cloudscape-design/components/multiselect";
import Textarea from "@cloudscape-design/components/textarea";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, ifMatch, newIdempotencyKey, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Empty } from "../../components/Empty";
import { FormModal } from "../../components/FormModal";
import { ResourceTable } from "../../components/ResourceTable";
import { Status } from "../../components/Status";

type Rule = Schemas["NotificationRule"];

export function Rules() {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const queries = useQueryClient();
  const notices = useNotices();
  // null: closed; "new": another one.
  const [edited, setEdited] = useState<Rule | "new" | null>(null);
  const acting = useMutation({
    mutationFn: async ({ what, rule }: { what: string; rule: Rule }) => {
      const path = { notification_rule: rule.id };
      if (what === "delete") await api.DELETE("/v1/notification-rules/{notification_rule}", { params: { path } });
      else await api.PATCH("/v1/notification-rules/{notification_rule}", { params: { path, header: ifMatch(rule.revision ?? 1) }, body: { is_active: !rule.is_active } });
    },
    onError: notices.failure,
    onSettled: () => queries.invalidateQueries({ queryKey: ["notification-rules"] }),
  });
  const make = may("admin") && (
    <Button variant="primary" onClick={() => setEdited("new")}>
      {t("rules.make")}
    </Button>
  );
  return (
    <>
      <ResourceTable<Rule>
        queryKey={["notification-rules"]}
        read={(cursor) => dataOf(api.GET("/v1/notification-rules", { params: { query: { cursor } } }))}
        trackBy={(each) => each.name}
        title={t("rules.title")}
        description={t("rules.hint")}
        variant="container"
        actions={make}
        empty={<Empty title={t("rules.none")} hint={t("rules.noneHint")} action={make} />}
        columns={[
          { id: "name", header: t("name"), cell: (each) => each.name, isRowHeader: true, sortingField: "name" },
          { id: "events", header: t("rules.events"), cell: (each) => each.events.join(", "), width: 320 },
          { id: "channels", header: t("channels.title"), cell: (each) => each.channels.join(", ") || "–" },
          { id: "subjects", header: t("rules.subjects"), cell: (each) => each.subjects?.join(", ") || t("all", { ns: "common" }) },
          { id: "status", header: t("status"), cell: (each) => <Status status={each.is_active ? "ACTIVE" : "PAUSED"}>{t(`channels.state.${each.is_active ? "ACTIVE" : "PAUSED"}`)}</Status> },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) =>
              may("admin") ? (
                <ButtonDropdown
                  variant="inline-icon"
                  ariaLabel={t("rules.actions", { name: each.name })}
                  expandToViewport
                  items={[
                    { id: "edit", text: t("edit", { ns: "common" }) },
                    { id: "pause", text: t(each.is_active ? "channels.pause" : "channels.resume") },
                    { id: "delete", text: t("delete", { ns: "common" }) },
                  ]}
                  onItemClick={({ detail }) => (detail.id === "edit" ? setEdited(each) : acting.mutate({ what: detail.id, rule: each }))}
                />
              ) : (
                "–"
              ),
          },
        ]}
      />
      {edited !== null && <RuleForm rule={edited === "new" ? null : edited} onClose={() => setEdited(null)} />}
    </>
  );
}

function RuleForm({ rule, onClose }: { rule: Rule | null; onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [name, setName] = useState(rule?.name ?? "");
  const [events, setEvents] = useState<string[]>(rule?.events ?? []);
  const [channels, setChannels] = useState<string[]>(rule?.channels ?? []);
  const [subjects, setSubjects] = useState((rule?.subjects ?? []).join("\n"));
  const types = useQuery({ queryKey: ["notification-types"], queryFn: () => dataOf(api.GET("/v1/notification-types")), staleTime: Infinity });
  const known = useQuery({ queryKey: ["notification-channels", "choice"], queryFn: () => dataOf(api.GET("/v1/notification-channels", { params: { query: { limit: 100 } } })) });
  const typeOptions = (types.data?.items ?? []).map((each) => ({ value: each.type as string, label: each.type as string, description: each.description }));
  const groups = [...new Set(typeOptions.map((each) => each.value.split(".")[0]!))].map((group) => ({ value: `${group}.*`, label: `${group}.*` }));
  const eventOptions = [{ value: "*", label: "*" }, ...groups.filter((group) => typeOptions.filter((each) => each.value.startsWith(group.value.slice(0, -1))).length > 1), ...typeOptions];
  const channelOptions = (known.data?.items ?? []).map((each) => ({ value: each.name, label: each.name, description: each.address }));
  const save = async () => {
    const body = { events, channels, subjects: subjects.split("\n").map((each) => each.trim()).filter(Boolean) };
    if (rule === null) {
      await api.POST("/v1/notification-rules", { params: { header: { "Idempotency-Key": key } }, body: { name, ...body, is_active: true } });
    } else {
      await api.PATCH("/v1/notification-rules/{notification_rule}", { params: { path: { notification_rule: rule.id }, header: ifMatch(rule.revision ?? 1) }, body });
    }
    await queries.invalidateQueries({ queryKey: ["notification-rules"] });
  };
  return (
    <FormModal title={rule === null ? t("rules.make") : rule.name} verb={t("save", { ns: "common" })} onSubmit={save} onClose={onClose} disabled={name === "" || events.length === 0 || channels.length === 0}>
      {rule === null && (
        <FormField label={t("name")} description={t("nameHint")}>
          <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
        </FormField>
      )}
      <FormField label={t("rules.events")}>
        <Multiselect
          options={eventOptions}
          selectedOptions={events.map((value) => ({ value, label: value }))}
          onChange={({ detail }) => setEvents(detail.selectedOptions.map((each) => each.value!))}
          filteringType="auto"
          placeholder={t("rules.choose")}
          statusType={types.isPending ? "loading" : "finished"}
        />
      </FormField>
      <FormField label={t("channels.title")}>
        <Multiselect
          options={channelOptions}
          selectedOptions={channels.map((value) => ({ value, label: value }))}
          onChange={({ detail }) => setChannels(detail.selectedOptions.map((each) => each.value!))}
          placeholder={t("rules.choose")}
          empty={t("channels.none")}
          statusType={known.isPending ? "loading" : "finished"}
        />
      </FormField>
      <FormField label={t("rules.subjects")} description={t("rules.subjectsHint")}>
        <Textarea value={subjects} rows={2} onChange={({ detail }) => setSubjects(detail.value)} />
      </FormField>
    </FormModal>
  );
}
