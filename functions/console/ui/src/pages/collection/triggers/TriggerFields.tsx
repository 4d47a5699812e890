/** When a trigger fires, what it runs, and where what comes of it goes. */

import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Toggle from "@cloudscape-design/components/toggle";
import { useTranslation } from "react-i18next";

import { schemaOf, useSchemas } from "../../../api/schemas";
import { Loaded } from "../../../components/Loaded";
import { SchemaForm } from "../../../components/SchemaForm";

type Values = Record<string, unknown>;

export interface TriggerValues {
  description: string;
  /** With `spec`, which has a `kind`. */
  job: Values;
  every_seconds: number | null;
  needs_passed: boolean;
  deploy: Values | null;
}

export const KINDS: Record<string, string> = { train: "TrainSpec", autotrain: "AutotrainSpec", search: "SearchSpec", script: "ScriptSpec" };

interface Props {
  dataset: string;
  values: TriggerValues;
  onChange: (changes: Partial<TriggerValues>) => void;
  disabled?: boolean;
}

export function TriggerFields({ dataset, values, onChange, disabled }: Props) {
  const { t } = useTranslation("collection");
  const schemas = useSchemas();
  const spec = (values.job.spec ?? {}) as Values;
  const kind = String(spec.kind ?? "train");
  const kinds = Object.keys(KINDS).map((each) => ({ value: each, label: t(`triggers.kind.${each}`) }));
  const setSpec = (next: Values) => onChange({ job: { ...values.job, spec: { ...next, kind, ...(kind === "script" ? {} : { dataset }) } } });
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">{t("triggers.when")}</Header>}>
        <SpaceBetween size="m">
          <FormField label={t("description")}>
            <Input value={values.description} disabled={disabled} onChange={({ detail }) => onChange({ description: detail.value })} />
          </FormField>
          <FormField label={t("triggers.everySeconds")} description={t("triggers.everyHint")}>
            <Input
              type="number"
              value={values.every_seconds === null ? "" : String(values.every_seconds)}
              placeholder={t("triggers.eachVersion")}
              disabled={disabled}
              onChange={({ detail }) => onChange({ every_seconds: detail.value === "" ? null : Number(detail.value) })}
            />
          </FormField>
          <Toggle checked={values.needs_passed} disabled={disabled} onChange={({ detail }) => onChange({ needs_passed: detail.checked })}>
            {t("triggers.needsPassed")}
          </Toggle>
        </SpaceBetween>
      </Container>
      <Loaded query={schemas}>
        {(found) => (
          <SpaceBetween size="l">
            <Container header={<Header variant="h2" description={t("triggers.jobHint")}>{t("job")}</Header>}>
              <SpaceBetween size="m">
                <FormField label={t("columnType")}>
                  <Select
                    options={kinds}
                    disabled={disabled}
                    selectedOption={kinds.find((each) => each.value === kind) ?? null}
                    onChange={({ detail }) => onChange({ job: { ...values.job, spec: { kind: detail.selectedOption.value, ...(detail.selectedOption.value === "script" ? {} : { dataset }) } } })}
                  />
                </FormField>
                <SchemaForm schema={schemaOf(found, KINDS[kind] ?? "TrainSpec", ["kind", ...(kind === "script" ? [] : ["dataset"])])} value={spec} disabled={disabled} onChange={setSpec} />
                <SchemaForm schema={schemaOf(found, "TriggeredJob", ["spec"])} value={values.job} disabled={disabled} onChange={(job) => onChange({ job: { ...job, spec } })} />
              </SpaceBetween>
            </Container>
            <Container header={<Header variant="h2" description={t("triggers.deployHint")}>{t("triggers.deploys")}</Header>}>
              <SpaceBetween size="m">
                <Toggle checked={values.deploy !== null} disabled={disabled} onChange={({ detail }) => onChange({ deploy: detail.checked ? {} : null })}>
                  {t("triggers.deploy")}
                </Toggle>
                {values.deploy !== null && <SchemaForm schema={schemaOf(found, "Deployment")} value={values.deploy} disabled={disabled} onChange={(deploy) => onChange({ deploy })} />}
              </SpaceBetween>
            </Container>
          </SpaceBetween>
        )}
      </Loaded>
    </SpaceBetween>
  );
}
