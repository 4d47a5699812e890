/** A form drawn from a JSON Schema: settings of subsystems, hyperparameters, rows to try.
 *
 * It knows what Pydantic writes of flat models: numbers, booleans, enums, texts, lists of texts, nullable ones, and
 * objects of these. What it does not know is edited as JSON.
 */

import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import Toggle from "@cloudscape-design/components/toggle";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

export interface JsonSchema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  [more: string]: unknown;
}

type Values = Record<string, unknown>;

interface Props {
  schema: JsonSchema;
  value: Values;
  /** Only what was touched is called; undefined takes a value back. */
  onChange: (value: Values) => void;
  /** By the name of a field (`capture.percent`). */
  errors?: Record<string, string>;
  /** Said beside a field: where its value comes from, when it applies. */
  noteOf?: (name: string, schema: JsonSchema) => ReactNode;
  /** Instead of the schema's title, such as in the user's language; undefined: as the schema says. */
  labelOf?: (name: string, schema: JsonSchema) => string | undefined;
  /** Left out of the form, by name. */
  without?: readonly string[];
  disabled?: boolean;
}

export function SchemaForm({ schema, ...rest }: Props) {
  return <Fields schema={resolve(schema, schema)} root={schema} path="" {...rest} />;
}

/** What a property is, behind references and "or null". */
export function resolve(schema: JsonSchema, root: JsonSchema): JsonSchema & { isNullable?: boolean } {
  if (schema.$ref !== undefined) {
    const target = root.$defs?.[schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1)] ?? {};
    // A class's name is no label.
    return resolve({ ...without(target, "title"), ...without(schema, "$ref") }, root);
  }
  if (schema.allOf?.length === 1) return resolve({ ...schema.allOf[0], ...without(schema, "allOf") }, root);
  if (schema.anyOf !== undefined) {
    const kinds = schema.anyOf.filter((each) => each.type !== "null");
    if (kinds.length === 1) {
      return { ...resolve({ ...kinds[0], ...without(schema, "anyOf") }, root), isNullable: kinds.length < schema.anyOf.length };
    }
  }
  return schema;
}

function without(schema: JsonSchema, name: string): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([each]) => each !== name));
}

function Fields({ schema, root, path, value, onChange, ...rest }: Props & { root: JsonSchema; path: string }) {
  const nameOf = (name: string) => (path === "" ? name : `${path}.${name}`);
  const shown = Object.entries(schema.properties ?? {}).filter(([name]) => !rest.without?.includes(nameOf(name)));
  return (
    <SpaceBetween size="l">
      {shown.map(([name, given]) => (
        <Field
          key={name}
          name={nameOf(name)}
          schema={resolve(given, root)}
          root={root}
          value={value[name]}
          onChange={(next) => onChange({ ...value, [name]: next })}
          {...rest}
        />
      ))}
    </SpaceBetween>
  );
}

interface FieldProps {
  name: string;
  schema: JsonSchema & { isNullable?: boolean };
  root: JsonSchema;
  value: unknown;
  onChange: (value: unknown) => void;
  errors?: Record<string, string>;
  noteOf?: Props["noteOf"];
  labelOf?: Props["labelOf"];
  without?: Props["without"];
  disabled?: boolean;
}

function Field(props: FieldProps) {
  const { name, schema, root, value, onChange, ...rest } = props;
  const { errors, noteOf, labelOf } = rest;
  const label = labelOf?.(name, schema) ?? schema.title ?? words(name);
  if (schema.type === "object" && schema.properties !== undefined) {
    return (
      <ExpandableSection headerText={label} headerDescription={schema.description} defaultExpanded>
        <Fields schema={schema} root={root} path={name} value={(value ?? {}) as Values} onChange={onChange} {...rest} />
      </ExpandableSection>
    );
  }
  return (
    <FormField label={label} description={schema.description} constraintText={bounds(schema)} errorText={errors?.[name]} secondaryControl={noteOf?.(name, schema)}>
      <Control {...props} />
    </FormField>
  );
}

function Control({ schema, value, onChange, disabled, name }: FieldProps) {
  const { t } = useTranslation();
  const empty = schema.isNullable ? t("form.none") : schema.default === undefined || schema.default === null ? "" : String(schema.default);
  if (schema.enum !== undefined) {
    const options = [
      ...(schema.isNullable ? [{ value: "", label: t("form.none") }] : []),
      ...schema.enum.map((each) => ({ value: String(each), label: String(each) })),
    ];
    return (
      <Select
        options={options}
        selectedOption={options.find((each) => each.value === String(value ?? "")) ?? null}
        onChange={({ detail }) => onChange(detail.selectedOption.value === "" ? null : detail.selectedOption.value)}
        placeholder={empty}
        disabled={disabled}
      />
    );
  }
  if (schema.type === "boolean") {
    return <Toggle checked={(value ?? schema.default) === true} onChange={({ detail }) => onChange(detail.checked)} disabled={disabled} ariaLabel={schema.title ?? words(name)} />;
  }
  if (schema.type === "integer" || schema.type === "number") {
    return (
      <Input
        type="number"
        inputMode={schema.type === "integer" ? "numeric" : "decimal"}
        step={schema.type === "integer" ? 1 : "any"}
        value={value === null || value === undefined ? "" : String(value)}
        placeholder={empty}
        onChange={({ detail }) => onChange(detail.value === "" ? (schema.isNullable ? null : undefined) : Number(detail.value))}
        disabled={disabled}
      />
    );
  }
  if (schema.type === "string") {
    return (
      <Input
        value={value === null || value === undefined ? "" : String(value)}
        placeholder={empty}
        onChange={({ detail }) => onChange(detail.value === "" && schema.isNullable ? null : detail.value)}
        disabled={disabled}
      />
    );
  }
  if (schema.type === "array" && (schema.items?.type === "string" || schema.items?.$ref !== undefined || schema.items?.enum !== undefined)) {
    return (
      <Textarea
        rows={3}
        value={Array.isArray(value) ? value.join("\n") : ""}
        placeholder={t("form.lines")}
        onChange={({ detail }) => onChange(detail.value === "" ? [] : detail.value.split("\n"))}
        disabled={disabled}
      />
    );
  }
  return <JsonField value={value} onChange={onChange} disabled={disabled} />;
}

/** Kept as text until it is JSON. */
function JsonField({ value, onChange, disabled }: Pick<FieldProps, "value" | "onChange" | "disabled">) {
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, null, 2)));
  const [isWrong, setWrong] = useState(false);
  return (
    <Textarea
      rows={4}
      value={text}
      invalid={isWrong}
      disabled={disabled}
      spellcheck={false}
      onChange={({ detail }) => {
        setText(detail.value);
        try {
          onChange(detail.value.trim() === "" ? undefined : JSON.parse(detail.value));
          setWrong(false);
        } catch {
          setWrong(true);
        }
      }}
    />
  );
}

/** `policy.bad_rows` as Pydantic would title it. */
function words(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1).replace(/(^|_)([a-z])/g, (_, gap: string, letter: string) => (gap && " ") + letter.toUpperCase());
}

function bounds(schema: JsonSchema): string | undefined {
  const from = schema.minimum ?? schema.exclusiveMinimum;
  const to = schema.maximum ?? schema.exclusiveMaximum;
  if (from !== undefined && to !== undefined) return `${from} – ${to}`;
  if (from !== undefined) return `${schema.exclusiveMinimum === undefined ? "≥" : ">"} ${from}`;
  if (to !== undefined) return `${schema.exclusiveMaximum === undefined ? "≤" : "<"} ${to}`;
  return undefined;
}
