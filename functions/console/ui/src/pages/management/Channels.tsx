/** Where notifications go: signed webhooks, Slack-compatible addresses, mailboxes. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import Textarea from "@cloudscape-design/components/textarea";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, ifMatch, newIdempotencyKey, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Confirm } from "../../components/Confirm";
import { Empty } from "../../components/Empty";
import { FormModal } from "../../components/FormModal";
import { ResourceTable } from "../../components/ResourceTable";
import { ShownOnce } from "../../components/ShownOnce";
import { Status } from "../../components/Status";

type Channel = Schemas["NotificationChannel"];
type Created = Schemas["ChannelCreated"];
type Asked = { what: "delete" | "rotate"; channel: Channel };

export function Channels() {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const queries = useQueryClient();
  const notices = useNotices();
  const [isMaking, setMaking] = useState(false);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [made, setMade] = useState<Created | null>(null);
  const acting = useMutation({
    mutationFn: async ({ what, channel }: { what: string; channel: Channel }) => {
      const path = { notification_channel: channel.id };
      if (what === "test") {
        await api.POST("/v1/notification-channels/{notification_channel}/test", { params: { path } });
        notices.success(t("channels.tested"));
        return;
      }
      const status = channel.status === "PAUSED" ? "ACTIVE" : "PAUSED";
      await api.PATCH("/v1/notification-channels/{notification_channel}", { params: { path, header: ifMatch(channel.revision ?? 1) }, body: { status } });
    },
    onError: notices.failure,
    onSettled: () => queries.invalidateQueries({ predicate: ({ queryKey }) => String(queryKey[0]).startsWith("notification") }),
  });
  const make = may("admin") && (
    <Button variant="primary" onClick={() => setMaking(true)}>
      {t("channels.make")}
    </Button>
  );
  return (
    <>
      <ResourceTable<Channel>
        queryKey={["notification-channels"]}
        read={(cursor) => dataOf(api.GET("/v1/notification-channels", { params: { query: { cursor } } }))}
        trackBy={(each) => each.name}
        title={t("channels.title")}
        description={t("channels.hint")}
        variant="container"
        actions={make}
        empty={<Empty title={t("channels.none")} hint={t("channels.noneHint")} action={make} />}
        columns={[
          { id: "name", header: t("name"), cell: (each) => each.name, isRowHeader: true, sortingField: "name" },
          { id: "type", header: t("channels.type"), cell: (each) => t(`channels.types.${each.type}`) },
          { id: "address", header: t("channels.address"), cell: (each) => each.address, width: 320 },
          { id: "status", header: t("status"), cell: (each) => <Status status={each.status ?? "ACTIVE"}>{t(`channels.state.${each.status ?? "ACTIVE"}`)}</Status> },
          { id: "reason", header: t("reason"), cell: (each) => each.status_reason ?? "–" },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) =>
              may("admin") ? (
                <ButtonDropdown
                  variant="inline-icon"
                  ariaLabel={t("channels.actions", { name: each.name })}
                  expandToViewport
                  items={[
                    { id: "test", text: t("channels.test") },
                    { id: "pause", text: t(each.status === "PAUSED" ? "channels.resume" : "channels.pause") },
                    { id: "rotate", text: t("channels.rotate"), disabled: each.type !== "webhook" },
                    { id: "delete", text: t("delete", { ns: "common" }) },
                  ]}
                  onItemClick={({ detail }) =>
                    detail.id === "delete" || detail.id === "rotate" ? setAsked({ what: detail.id, channel: each }) : acting.mutate({ what: detail.id, channel: each })
                  }
                />
              ) : (
                "–"
              ),
          },
        ]}
      />
      {isMaking && <Make onClose={() => setMaking(false)} onMade={(created) => created.secret != null && setMade(created)} />}
      {asked !== null && <Ask asked={asked} onClose={() => setAsked(null)} onMade={setMade} />}
      {made?.secret != null && (
        <ShownOnce title={t("channels.secret", { name: made.name })} secret={made.secret} onClose={() => setMade(null)}>
          {t("channels.secretHint")}
        </ShownOnce>
      )}
    </>
  );
}

function Make({ onClose, onMade }: { onClose: () => void; onMade: (made: Created) => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [name, setName] = useState("");
  const [type, setType] = useState<Channel["type"]>("webhook");
  const [url, setUrl] = useState("");
  const [to, setTo] = useState("");
  const target = type === "email" ? { type, to: to.split(/[\s,;]+/).filter(Boolean) } : { type, url: url.trim() };
  const make = async () => {
    onMade(await dataOf(api.POST("/v1/notification-channels", { params: { header: { "Idempotency-Key": key } }, body: { name, description: "", target } })));
    await queries.invalidateQueries({ queryKey: ["notification-channels"] });
  };
  return (
    <FormModal title={t("channels.make")} verb={t("create", { ns: "common" })} onSubmit={make} onClose={onClose} disabled={name === "" || (type === "email" ? to.trim() === "" : url.trim() === "")}>
      <FormField label={t("name")} description={t("nameHint")}>
        <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
      </FormField>
      <SegmentedControl
        label={t("channels.type")}
        selectedId={type}
        onChange={({ detail }) => setType(detail.selectedId as Channel["type"])}
        options={(["webhook", "slack", "email"] as const).map((id) => ({ id, text: t(`channels.types.${id}`) }))}
      />
      {type === "email" ? (
        <FormField label={t("channels.to")} description={t("channels.toHint")}>
          <Textarea value={to} rows={2} onChange={({ detail }) => setTo(detail.value)} />
        </FormField>
      ) : (
        <FormField label="URL" description={t(`channels.${type}Hint`)}>
          <Input value={url} type="url" placeholder="https://" onChange={({ detail }) => setUrl(detail.value)} />
        </FormField>
      )}
    </FormModal>
  );
}

function Ask({ asked, onClose, onMade }: { asked: Asked; onClose: () => void; onMade: (made: Created) => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const { what, channel } = asked;
  const params = { path: { notification_channel: channel.id } };
  const act = async () => {
    if (what === "delete") await api.DELETE("/v1/notification-channels/{notification_channel}", { params });
    else onMade(await dataOf(api.POST("/v1/notification-channels/{notification_channel}/secret", { params })));
    await queries.invalidateQueries({ queryKey: ["notification-channels"] });
  };
  return (
    <Confirm title={t(`channels.${what}Of`, { name: channel.name })} verb={what === "delete" ? t("delete", { ns: "common" }) : t("channels.rotate")} onConfirm={act} onClose={onClose}>
      {t(`channels.${what}Hint`)}
    </Confirm>
  );
}
