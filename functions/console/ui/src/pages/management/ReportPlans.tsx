/** Reports that are made each week. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, ifMatch, newIdempotencyKey, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Empty } from "../../components/Empty";
import { FormModal } from "../../components/FormModal";
import { ResourceTable } from "../../components/ResourceTable";
import { Status } from "../../components/Status";
import { Time } from "../../components/values";
import { ReportFields } from "./Reports";

type Plan = Schemas["ReportPlan"];
const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;

export function ReportPlans() {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const queries = useQueryClient();
  const notices = useNotices();
  const [isMaking, setMaking] = useState(false);
  const acting = useMutation({
    mutationFn: async ({ what, plan }: { what: string; plan: Plan }) => {
      const path = { report_plan: plan.id };
      if (what === "delete") await api.DELETE("/v1/report-plans/{report_plan}", { params: { path } });
      else await api.PATCH("/v1/report-plans/{report_plan}", { params: { path, header: ifMatch(plan.revision ?? 1) }, body: { status: plan.status === "PAUSED" ? "ACTIVE" : "PAUSED" } });
    },
    onError: notices.failure,
    onSettled: () => queries.invalidateQueries({ queryKey: ["report-plans"] }),
  });
  const make = may("developer") && <Button onClick={() => setMaking(true)}>{t("plans.make")}</Button>;
  return (
    <>
      <ResourceTable<Plan>
        queryKey={["report-plans"]}
        read={(cursor) => dataOf(api.GET("/v1/report-plans", { params: { query: { cursor } } }))}
        trackBy={(each) => each.name}
        title={t("plans.title")}
        variant="container"
        actions={make}
        empty={<Empty title={t("plans.none")} action={make} />}
        columns={[
          { id: "name", header: t("name"), cell: (each) => each.name, isRowHeader: true },
          { id: "of", header: t("reports.of"), cell: (each) => each.model ?? t("reports.workspace") },
          { id: "when", header: t("plans.when"), cell: (each) => `${t(`weekday.${each.weekday}`)}, ${each.hour}:00 UTC` },
          { id: "next", header: t("plans.next"), cell: (each) => <Time at={each.next_at} /> },
          { id: "channels", header: t("channels.title"), cell: (each) => each.channels?.join(", ") || "–" },
          { id: "status", header: t("status"), cell: (each) => <Status status={each.status ?? "ACTIVE"}>{t(`channels.state.${each.status ?? "ACTIVE"}`)}</Status> },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) =>
              may("developer") ? (
                <ButtonDropdown
                  variant="inline-icon"
                  ariaLabel={t("plans.actions", { name: each.name })}
                  expandToViewport
                  items={[
                    { id: "pause", text: t(each.status === "PAUSED" ? "channels.resume" : "channels.pause") },
                    { id: "delete", text: t("delete", { ns: "common" }) },
                  ]}
                  onItemClick={({ detail }) => acting.mutate({ what: detail.id, plan: each })}
                />
              ) : (
                "–"
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
  const [name, setName] = useState("");
  const [model, setModel] = useState("");
  const [days, setDays] = useState("7");
  const [channels, setChannels] = useState("");
  const [weekday, setWeekday] = useState<Plan["weekday"]>("monday");
  const [hour, setHour] = useState("6");
  const options = WEEKDAYS.map((value) => ({ value, label: t(`weekday.${value}`) }));
  const make = async () => {
    const body = { name, model: model.trim() === "" ? null : model.trim(), days: Number(days), channels: channels.split(/[\s,]+/).filter(Boolean), weekday, hour: Number(hour) };
    await api.POST("/v1/report-plans", { params: { header: { "Idempotency-Key": key } }, body });
    await queries.invalidateQueries({ queryKey: ["report-plans"] });
  };
  return (
    <FormModal title={t("plans.make")} verb={t("create", { ns: "common" })} onSubmit={make} onClose={onClose} disabled={name === "" || hour === ""}>
      <FormField label={t("name")} description={t("nameHint")}>
        <Input value={name} onChange={({ detail }) => setName(detail.value)} />
      </FormField>
      <ReportFields model={model} days={days} channels={channels} onModel={setModel} onDays={setDays} onChannels={setChannels} />
      <FormField label={t("plans.weekday")}>
        <Select options={options} selectedOption={options.find((each) => each.value === weekday)!} onChange={({ detail }) => setWeekday(detail.selectedOption.value as Plan["weekday"])} />
      </FormField>
      <FormField label={t("plans.hour")}>
        <Input value={hour} type="number" onChange={({ detail }) => setHour(detail.value)} />
      </FormField>
    </FormModal>
  );
}
