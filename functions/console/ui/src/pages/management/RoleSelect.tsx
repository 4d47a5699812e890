/** One of the roles, each of which includes those before it. */

import FormField from "@cloudscape-design/components/form-field";
import Select from "@cloudscape-design/components/select";
import { useTranslation } from "react-i18next";

import type { Role } from "../../app/session";

export const ROLES: readonly Role[] = ["viewer", "collector", "developer", "admin"];

export function RoleSelect({ role, onChange }: { role: Role; onChange: (role: Role) => void }) {
  const { t } = useTranslation("management");
  const options = ROLES.map((value) => ({ value, label: t(`role.${value}`, { ns: "common" }), description: t(`roleHint.${value}`) }));
  return (
    <FormField label={t("role")}>
      <Select
        options={options}
        selectedOption={options.find((each) => each.value === role)!}
        onChange={({ detail }) => onChange(detail.selectedOption.value as Role)}
        triggerVariant="option"
      />
    </FormField>
  );
}
