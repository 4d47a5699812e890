/** What serves, and a rollout: who gets what share, how both versions do, and the limits that are kept. */

import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import { Link } from "../../app/links";
import { Status } from "../../components/Status";
import { formatNumber, Time } from "../../components/values";
import { type Endpoint, engineOf, refOf } from "./endpoint";
import { RolloutPanel } from "./RolloutPanel";
import { Weights } from "./Weights";

export function Serving({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  const shown = endpoint.serving ?? endpoint.candidate;
  return (
    <SpaceBetween size="l">
      <Container>
        <KeyValuePairs
          columns={4}
          items={[
            { label: t("status"), value: <Status status={endpoint.status}>{t(`state.${endpoint.status}`)}</Status> },
            {
              label: t("serving"),
              value: endpoint.serving == null ? "–" : <Link to={`/models/${endpoint.serving.model_name}`}>{refOf(endpoint.serving)}</Link>,
            },
            { label: t("candidate"), value: refOf(endpoint.candidate ?? endpoint.rollout?.model) },
            { label: t("previous"), value: refOf(endpoint.previous) },
            { label: t("engine"), value: engineOf(shown?.engine) },
            { label: t("task"), value: endpoint.signature?.task ?? "–" },
            { label: t("alarm"), value: <Status status={endpoint.alarm ?? "OFF"}>{t(`alarms.${endpoint.alarm ?? "OFF"}`)}</Status> },
            { label: t("updated"), value: <Time at={endpoint.updated_at} /> },
            ...(endpoint.status_reason == null ? [] : [{ label: t("reason"), value: endpoint.status_reason }]),
          ]}
        />
      </Container>
      {endpoint.rollout != null && <RolloutPanel endpoint={endpoint} rollout={endpoint.rollout} />}
      {endpoint.serving != null && (endpoint.serving.members?.length ?? 0) > 0 && <Weights endpoint={endpoint} serving={endpoint.serving} />}
      {endpoint.signature != null && <SignatureTable endpoint={endpoint} />}
    </SpaceBetween>
  );
}

function SignatureTable({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  const signature = endpoint.signature!;
  return (
    <Table
      variant="container"
      items={signature.inputs}
      trackBy="name"
      header={
        <Header variant="h2" counter={`(${signature.inputs.length})`} description={t("signature.hint", { target: signature.target })}>
          {t("signature.title")}
        </Header>
      }
      ariaLabels={{ tableLabel: t("signature.title") }}
      columnDefinitions={[
        { id: "name", header: t("name"), cell: (each) => each.column ?? each.name, isRowHeader: true },
        { id: "type", header: t("signature.type"), cell: (each) => each.column_type ?? `${each.datatype} [${each.shape.join(", ")}]` },
        { id: "range", header: t("signature.range"), cell: rangeOf },
        { id: "typical", header: t("signature.typical"), cell: (each) => (typeof each.typical === "number" ? formatNumber(each.typical) : (each.typical ?? "–")) },
      ]}
    />
  );
}

const MAX_CATEGORIES = 8;

function rangeOf(input: NonNullable<Endpoint["signature"]>["inputs"][number]): string {
  if (input.categories != null) {
    const more = input.categories.length > MAX_CATEGORIES ? ", …" : "";
    return input.categories.slice(0, MAX_CATEGORIES).join(", ") + more;
  }
  if (input.minimum == null || input.maximum == null) return "–";
  return `${formatNumber(input.minimum)} – ${formatNumber(input.maximum)}`;
}
