/** Six digits that an authenticator shows at the moment. */

import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";

export function isCode(text: string): boolean {
  return /^[0-9]{6}$/.test(text);
}

interface Props {
  label: string;
  description?: string;
  value: string;
  onChange: (code: string) => void;
}

/** Spaces between the digits, as authenticators show them, are left out. */
export function CodeField({ label, description, value, onChange }: Props) {
  return (
    <FormField label={label} description={description}>
      <Input value={value} onChange={({ detail }) => onChange(detail.value.replace(/\s/g, ""))} inputMode="numeric" autoComplete="one-time-code" autoFocus />
    </FormField>
  );
}
