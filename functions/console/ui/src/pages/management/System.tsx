/** How the installation is: its functions, queues, what could not be handled, and what runs. */

import Alert from "@cloudscape-design/components/alert";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator, { type StatusIndicatorProps } from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { Link } from "../../app/links";
import { useSession } from "../../app/session";
import { Loaded } from "../../components/Loaded";
import { formatNumber, formatSeconds, Time } from "../../components/values";
import { DeadLetters } from "./DeadLetters";

type Status = Schemas["SystemStatus"];

const HEALTH: Record<string, StatusIndicatorProps.Type> = { OK: "success", STARTING: "in-progress", DEGRADED: "warning", DOWN: "error" };

export function System() {
  const { t } = useTranslation("management");
  const query = useQuery({ queryKey: ["system", "status"], queryFn: () => dataOf(api.GET("/v1/system/status")), refetchInterval: 5_000 });
  return (
    <ContentLayout header={<Header variant="h1" description={t("system.hint")}>{t("system.title")}</Header>}>
      <Loaded query={query}>{(found) => <Shown status={found} />}</Loaded>
    </ContentLayout>
  );
}

function Shown({ status }: { status: Status }) {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const { reconciler, compute } = status;
  return (
    <SpaceBetween size="l">
      {status.alarms?.map((alarm) => (
        <Alert key={alarm.name} type="error" header={alarm.name}>
          {alarm.description} <Time at={alarm.since} />
        </Alert>
      ))}
      <Container header={<Header variant="h2">{t("system.centres")}</Header>}>
        <KeyValuePairs
          columns={4}
          items={status.centres.map((centre) => ({
            label: t(`area.${centre.name}`, { ns: "common" }),
            value: (
              <>
                <StatusIndicator type={HEALTH[centre.health] ?? "info"}>{t(`system.health.${centre.health}`)}</StatusIndicator>
                {(centre.reasons ?? []).map((reason) => (
                  <div key={reason}>{reason}</div>
                ))}
              </>
            ),
          }))}
        />
      </Container>
      <Container header={<Header variant="h2">{t("system.compute")}</Header>}>
        <KeyValuePairs
          columns={4}
          items={[
            { label: t("system.version"), value: status.version },
            { label: t("system.where"), value: status.endpoint_url ?? "AWS" },
            { label: t("system.batch"), value: [compute.queue_state, compute.queue_status, compute.queue_reason].filter(Boolean).join(", ") || "–" },
            { label: t("system.jobs"), value: Object.entries(compute.num_jobs ?? {}).map(([name, count]) => `${name} ${count}`).join(", ") || "–" },
            { label: t("system.reconciler"), value: reconciler == null ? t("system.never") : <Time at={reconciler.at} /> },
            { label: t("system.took"), value: formatSeconds(reconciler?.seconds) },
            { label: t("system.faults"), value: formatNumber(reconciler?.num_faults) },
            { label: t("system.healed"), value: Object.entries(reconciler?.healed ?? {}).map(([name, count]) => `${name} ${count}`).join(", ") || "–" },
          ]}
        />
      </Container>
      <Functions items={status.functions} />
      <Queues items={status.queues} />
      <DeadLetters items={status.dead_letters} mayHandle={may("admin")} />
    </SpaceBetween>
  );
}

function Functions({ items }: { items: Status["functions"] }) {
  const { t } = useTranslation("management");
  const { may } = useSession();
  return (
    <Table
      variant="container"
      items={items}
      trackBy="name"
      header={<Header variant="h2" counter={`(${items.length})`} description={t("system.functionsHint")}>{t("system.functions")}</Header>}
      ariaLabels={{ tableLabel: t("system.functions") }}
      columnDefinitions={[
        {
          id: "name",
          header: t("name"),
          cell: (each) => (may("developer") ? <Link to={`/management/logs?source=${each.name.replaceAll("-", "_")}&since=1h`}>{each.name}</Link> : each.name),
          isRowHeader: true,
        },
        { id: "centre", header: t("system.centre"), cell: (each) => t(`area.${each.centre}`, { ns: "common" }) },
        { id: "invocations", header: t("system.invocations"), cell: (each) => formatNumber(each.num_invocations) },
        { id: "errors", header: t("system.errors"), cell: (each) => (each.num_errors ? <StatusIndicator type="error">{formatNumber(each.num_errors)}</StatusIndicator> : formatNumber(each.num_errors)) },
        { id: "throttles", header: t("system.throttles"), cell: (each) => formatNumber(each.num_throttles) },
        { id: "p95", header: "p95", cell: (each) => (each.p95_ms == null ? "–" : `${formatNumber(each.p95_ms, 3)} ms`) },
      ]}
    />
  );
}

function Queues({ items }: { items: Status["queues"] }) {
  const { t } = useTranslation("management");
  return (
    <Table
      variant="container"
      items={items}
      trackBy="name"
      header={<Header variant="h2" counter={`(${items.length})`}>{t("system.queues")}</Header>}
      ariaLabels={{ tableLabel: t("system.queues") }}
      columnDefinitions={[
        { id: "name", header: t("name"), cell: (each) => each.name, isRowHeader: true },
        { id: "waiting", header: t("system.waiting"), cell: (each) => formatNumber(each.num_waiting) },
        { id: "flight", header: t("system.inFlight"), cell: (each) => formatNumber(each.num_in_flight) },
        { id: "oldest", header: t("system.oldest"), cell: (each) => formatSeconds(each.oldest_seconds) },
      ]}
    />
  );
}
