/** How far back something is listed. */

import FormField from "@cloudscape-design/components/form-field";
import Select from "@cloudscape-design/components/select";
import { useTranslation } from "react-i18next";

const SPANS = ["1h", "1d", "7d", "30d", "all"] as const;
export type Span = (typeof SPANS)[number];
const HOURS: Record<Span, number | null> = { "1h": 1, "1d": 24, "7d": 168, "30d": 720, all: null };

/** As the API takes it; undefined: from the beginning. */
export function sinceOf(span: Span, now = Date.now()): string | undefined {
  const hours = HOURS[span];
  return hours === null ? undefined : new Date(now - hours * 3_600_000).toISOString();
}

export function Since({ span, onChange, without = [] }: { span: Span; onChange: (span: Span) => void; without?: readonly Span[] }) {
  const { t } = useTranslation();
  const options = SPANS.filter((value) => !without.includes(value)).map((value) => ({ value, label: t(`since.${value}`) }));
  return (
    <FormField label={t("since.title")}>
      <Select
        options={options}
        selectedOption={options.find((each) => each.value === span) ?? null}
        onChange={({ detail }) => onChange(detail.selectedOption.value as Span)}
      />
    </FormField>
  );
}
