/** How long is looked back. */

import FormField from "@cloudscape-design/components/form-field";
import Select from "@cloudscape-design/components/select";
import { useTranslation } from "react-i18next";

const MINUTES = ["60", "1440", "10080", "43200"] as const;

export function Window({ minutes, onChange }: { minutes: string; onChange: (minutes: string) => void }) {
  const { t } = useTranslation("inference");
  const options = MINUTES.map((value) => ({ value, label: t(`metrics.last${value}`) }));
  return (
    <FormField label={t("metrics.window")}>
      <Select
        selectedOption={options.find((each) => each.value === minutes) ?? null}
        options={options}
        onChange={({ detail }) => onChange(detail.selectedOption.value ?? minutes)}
      />
    </FormField>
  );
}
