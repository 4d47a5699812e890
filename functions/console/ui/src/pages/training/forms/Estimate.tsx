/** What a job would take, before it is submitted. */

import Alert from "@cloudscape-design/components/alert";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { formatBytes, formatNumber, formatSeconds } from "../../../components/values";

export function Estimate({ estimate }: { estimate: Schemas["JobEstimate"] }) {
  const { t } = useTranslation("training");
  const spanOf = (span: Schemas["Span"] | null, format: (value: number) => string) =>
    span === null ? t("estimate.unknown") : `${format(span.expected)} (${format(span.low)} – ${format(span.high)})`;
  const dollars = (value: number) => `$${formatNumber(value, 2)}`;
  return (
    <Alert type="info" header={t("estimate.title")}>
      <SpaceBetween size="s">
        <KeyValuePairs
          columns={3}
          items={[
            { label: t("estimate.time"), value: spanOf(estimate.seconds, (value) => formatSeconds(Math.round(value))) },
            { label: t("cost"), value: spanOf(estimate.cost_usd, dollars) },
            { label: t("memory"), value: spanOf(estimate.memory_mib, (value) => formatBytes(value * 1024 ** 2)) },
            { label: t("estimate.atMost"), value: `${formatSeconds(estimate.max_seconds)}${estimate.max_cost_usd === null ? "" : `, ${dollars(estimate.max_cost_usd)}`}` },
            { label: t("estimate.data"), value: t("estimate.size", { rows: formatNumber(estimate.num_rows), columns: estimate.num_columns, bytes: formatBytes(estimate.num_bytes) }) },
            { label: t("estimate.price"), value: estimate.usd_per_hour === null ? t("estimate.unknown") : t("estimate.perHour", { dollars: dollars(estimate.usd_per_hour) }) },
          ]}
        />
        {[estimate.budget?.explanation, ...estimate.notes].filter(Boolean).map((note, index) => (
          <div key={index}>{note}</div>
        ))}
      </SpaceBetween>
    </Alert>
  );
}
