/** What a model may take where it runs. */

import ColumnLayout from "@cloudscape-design/components/column-layout";
import FormField from "@cloudscape-design/components/form-field";
import Select from "@cloudscape-design/components/select";
import { useTranslation } from "react-i18next";

import { NumberField } from "./compute";
import type { JobRequest } from "./request";

const DEVICES = ["lambda-512mb", "lambda-1024mb", "lambda-1769mb", "lambda-3008mb", "container", "mobile"] as const;
const DEFAULT_DEVICE = "lambda-1769mb";
const KB = 1000;

export function DeviceField({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const options = DEVICES.map((value) => ({ value: value as string, label: t(`devices.${value}`) }));
  return (
    <FormField label={t("device")} description={t("form.deviceHint")} errorText={request.errors["device"]}>
      <Select
        options={options}
        selectedOption={options.find((each) => each.value === (request.spec["device"] ?? DEFAULT_DEVICE)) ?? null}
        onChange={({ detail }) => request.setSpec({ device: detail.selectedOption.value })}
      />
    </FormField>
  );
}

export function LimitFields({ request }: { request: JobRequest }) {
  const { t } = useTranslation("training");
  const bytes = request.spec["max_model_bytes"] as number | undefined;
  return (
    <ColumnLayout columns={2}>
      <NumberField
        label={t("form.maxSize")}
        value={bytes == null ? null : bytes / KB}
        placeholder={t("form.noLimit")}
        onChange={(value) => request.setSpec({ max_model_bytes: value === null ? undefined : Math.round(value * KB) })}
        error={request.errors["max_model_bytes"]}
      />
      <NumberField
        label={t("form.maxLatency")}
        value={request.spec["max_latency_ms"] as number | undefined}
        placeholder={t("form.noLimit")}
        onChange={(value) => request.setSpec({ max_latency_ms: value })}
        error={request.errors["max_latency_ms"]}
      />
    </ColumnLayout>
  );
}
