/** What a version takes and gives. */

import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";
import { formatNumber } from "../../components/values";

type TensorSpec = Schemas["TensorSpec"];

export function Signature({ signature }: { signature: Schemas["Signature"] }) {
  const { t } = useTranslation("models");
  const common = [
    { id: "name", header: t("name"), cell: (each: TensorSpec) => each.name, isRowHeader: true },
    { id: "type", header: t("signature.datatype"), cell: (each: TensorSpec) => each.datatype },
    { id: "shape", header: t("signature.shape"), cell: (each: TensorSpec) => `[${each.shape.join(", ")}]` },
  ];
  return (
    <SpaceBetween size="l">
      <Table
        variant="container"
        wrapLines
        header={<Header variant="h2" counter={`(${signature.inputs.length})`}>{t("signature.inputs")}</Header>}
        items={signature.inputs}
        trackBy="name"
        ariaLabels={{ tableLabel: t("signature.inputs") }}
        columnDefinitions={[
          ...common,
          { id: "column", header: t("signature.column"), cell: (each) => (each.column == null ? "–" : `${each.column}${each.column_type == null ? "" : ` (${each.column_type})`}`) },
          { id: "range", header: t("signature.range"), cell: rangeOf },
          { id: "typical", header: t("signature.typical"), cell: (each) => (typeof each.typical === "number" ? formatNumber(each.typical) : (each.typical ?? "–")) },
        ]}
      />
      <Table
        variant="container"
        wrapLines
        header={<Header variant="h2" description={signature.labels == null ? undefined : t("signature.labels", { labels: signature.labels.slice(0, 50).join(", ") })}>{t("signature.outputs")}</Header>}
        items={signature.outputs}
        trackBy="name"
        ariaLabels={{ tableLabel: t("signature.outputs") }}
        columnDefinitions={common}
      />
    </SpaceBetween>
  );
}

function rangeOf(spec: TensorSpec): string {
  if (spec.categories != null) return spec.categories.slice(0, 12).join(", ") + (spec.categories.length > 12 ? ` … (${spec.categories.length})` : "");
  return spec.minimum == null ? "–" : `${formatNumber(spec.minimum)} – ${formatNumber(spec.maximum)}`;
}
