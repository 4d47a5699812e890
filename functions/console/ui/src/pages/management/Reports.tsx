/** Reports of the workspace or of a model: made now, or each week. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import ContentLayout from "@cloudscape-design/components/content-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../api/client";
import { follow } from "../../app/files";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Empty } from "../../components/Empty";
import { FormModal } from "../../components/FormModal";
import { ResourceTable } from "../../components/ResourceTable";
import { Status } from "../../components/Status";
import { formatBytes, formatDay } from "../../components/values";
import { ReportPlans } from "./ReportPlans";

type Report = Schemas["Report"];

export function Reports() {
  const { t } = useTranslation("management");
  return (
    <ContentLayout header={<Header variant="h1" description={t("reports.hint")}>{t("reports.title")}</Header>}>
      <SpaceBetween size="l">
        <Made />
        <ReportPlans />
      </SpaceBetween>
    </ContentLayout>
  );
}

function Made() {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const notices = useNotices();
  const queries = useQueryClient();
  const [isMaking, setMaking] = useState(false);
  const acting = useMutation({
    mutationFn: async ({ what, report }: { what: string; report: Report }) => {
      const params = { path: { report: report.id } };
      if (what === "delete") {
        await api.DELETE("/v1/reports/{report}", { params });
        return;
      }
      const found = await dataOf(api.GET("/v1/reports/{report}", { params }));
      const url = what === "pdf" ? found.pdf_url : found.html_url;
      if (url != null) follow(url, `report.${what}`);
    },
    onError: notices.failure,
    onSettled: () => queries.invalidateQueries({ queryKey: ["reports"] }),
  });
  const make = may("developer") && (
    <Button variant="primary" onClick={() => setMaking(true)}>
      {t("reports.make")}
    </Button>
  );
  return (
    <>
      <ResourceTable<Report>
        queryKey={["reports"]}
        read={(cursor) => dataOf(api.GET("/v1/reports", { params: { query: { cursor } } }))}
        trackBy={(each) => each.id}
        title={t("reports.made")}
        variant="container"
        everyMs={3_000}
        actions={make}
        empty={<Empty title={t("reports.none")} hint={t("reports.noneHint")} action={make} />}
        columns={[
          { id: "of", header: t("reports.of"), cell: (each) => each.model ?? t("reports.workspace"), isRowHeader: true },
          { id: "span", header: t("reports.span"), cell: (each) => `${formatDay(each.since)} – ${formatDay(each.until)}`, width: 230 },
          { id: "status", header: t("status"), cell: (each) => <Status status={each.status ?? "PENDING"}>{t(`reports.state.${each.status ?? "PENDING"}`)}</Status> },
          { id: "figures", header: t("reports.figures"), cell: (each) => (each.figures ?? []).slice(0, 3).map((figure) => `${figure.name} ${figure.value}`).join(", ") || (each.status_reason ?? "–"), width: 300 },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) => (
              <ButtonDropdown
                variant="inline-icon"
                ariaLabel={t("reports.actions", { id: each.id })}
                expandToViewport
                items={[
                  { id: "html", text: `HTML (${formatBytes(each.html_bytes)})`, disabled: each.status !== "READY" },
                  { id: "pdf", text: `PDF (${formatBytes(each.pdf_bytes)})`, disabled: each.status !== "READY" },
                  { id: "delete", text: t("delete", { ns: "common" }), disabled: !may("developer") },
                ]}
                onItemClick={({ detail }) => acting.mutate({ what: detail.id, report: each })}
              />
            ),
          },
        ]}
      />
      {isMaking && <Make onClose={() => setMaking(false)} />}
    </>
  );
}

function Make({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("management");
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [model, setModel] = useState("");
  const [days, setDays] = useState("7");
  const [channels, setChannels] = useState("");
  const make = async () => {
    const body = { model: model.trim() === "" ? null : model.trim(), days: Number(days), channels: channels.split(/[\s,]+/).filter(Boolean) };
    await api.POST("/v1/reports", { params: { header: { "Idempotency-Key": key } }, body });
    await queries.invalidateQueries({ queryKey: ["reports"] });
  };
  return (
    <FormModal title={t("reports.make")} verb={t("reports.make")} onSubmit={make} onClose={onClose} disabled={days === ""}>
      <ReportFields model={model} days={days} channels={channels} onModel={setModel} onDays={setDays} onChannels={setChannels} />
    </FormModal>
  );
}

interface FieldsProps {
  model: string;
  days: string;
  channels: string;
  onModel: (value: string) => void;
  onDays: (value: string) => void;
  onChannels: (value: string) => void;
}

export function ReportFields({ model, days, channels, onModel, onDays, onChannels }: FieldsProps) {
  const { t } = useTranslation("management");
  return (
    <>
      <FormField label={t("reports.model")} description={t("reports.modelHint")}>
        <Input value={model} onChange={({ detail }) => onModel(detail.value)} autoFocus />
      </FormField>
      <FormField label={t("reports.days")}>
        <Input value={days} type="number" onChange={({ detail }) => onDays(detail.value)} />
      </FormField>
      <FormField label={t("channels.title")} description={t("reports.channelsHint")}>
        <Input value={channels} onChange={({ detail }) => onChannels(detail.value)} />
      </FormField>
    </>
  );
}
