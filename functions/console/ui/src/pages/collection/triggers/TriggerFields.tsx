/** When a trigger fires, what it runs, and where what comes of it goes. */

import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Toggle from "@cloudscape-design/components/toggle";
import { useTranslation } from "react-i18next";

import { schemaOf, useSchemas } from "../../../api/schemas";
import { Loaded } from "../../../components/Loaded";
import { type JsonSchema, SchemaForm } from "../../../components/SchemaForm";

type Values = Record<string, unknown>;

export interface TriggerValues {
  description: string;
  /** With `spec`, which has a `kind`. */
  job: Values;
  every_seconds: number | null;
  cron: string | null;
  needs_passed: boolean;
  deploy: Values | null;
}

export const KINDS: Record<string, string> = { train: "TrainSpec", autotrain: "AutotrainSpec", search: "SearchSpec", script: "ScriptSpec" };

const WHEN = ["version", "every", "cron"] as const;
type When = (typeof WHEN)[number];
const AT: Record<When, Pick<TriggerValues, "every_seconds" | "cron">> = {
  version: { every_seconds: null, cron: null },
  every: { every_seconds: 86_400, cron: null },
  cron: { every_seconds: null, cron: "0 6 * * *" },
};
/** What most jobs are told; the rest has sensible defaults. */
const FIRST = ["target", "algorithm", "model", "source", "command", "channels", "max_seconds"];

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
  const when: When = values.cron !== null ? "cron" : values.every_seconds !== null ? "every" : "version";
  const kinds = Object.keys(KINDS).map((each) => ({ value: each, label: t(`triggers.kind.${each}`) }));
  const schema = KINDS[kind] ?? "TrainSpec";
  const setSpec = (next: Values) => onChange({ job: { ...values.job, spec: { ...next, kind, ...(kind === "script" ? {} : { dataset }) } } });
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">{t("triggers.when")}</Header>}>
        <SpaceBetween size="m">
          <FormField label={t("description")}>
            <Input value={values.description} disabled={disabled} onChange={({ detail }) => onChange({ description: detail.value })} />
          </FormField>
          <FormField label={t("triggers.fires")}>
            <SegmentedControl
              label={t("triggers.fires")}
              selectedId={when}
              options={WHEN.map((id) => ({ id, text: t(`triggers.at.${id}`), disabled }))}
              onChange={({ detail }) => onChange(AT[detail.selectedId as When])}
            />
          </FormField>
          {when === "every" && (
            <FormField label={t("triggers.everySeconds")}>
              <Input type="number" value={String(values.every_seconds)} disabled={disabled} onChange={({ detail }) => onChange({ every_seconds: Number(detail.value) })} />
            </FormField>
          )}
          {when === "cron" && (
            <FormField label={t("triggers.cron")} description={t("triggers.cronHint")}>
              <Input value={values.cron ?? ""} disabled={disabled} onChange={({ detail }) => onChange({ cron: detail.value })} />
            </FormField>
          )}
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
                <SchemaForm schema={schemaOf(found, schema, others(found[schema], true))} value={spec} disabled={disabled} onChange={setSpec} />
                <ExpandableSection headerText={t("triggers.more")}>
                  <SchemaForm schema={schemaOf(found, schema, ["kind", "dataset", ...others(found[schema], false)])} value={spec} disabled={disabled} onChange={setSpec} />
                </ExpandableSection>
                <ExpandableSection headerText={t("triggers.limits")}>
                  <SchemaForm schema={schemaOf(found, "TriggeredJob", ["spec"])} value={values.job} disabled={disabled} onChange={(job) => onChange({ job: { ...job, spec } })} />
                </ExpandableSection>
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

/** The names of the fields that do not come first, or of those that do. */
function others(schema: JsonSchema | undefined, isFirst: boolean): string[] {
  return Object.keys(schema?.properties ?? {}).filter((name) => FIRST.includes(name) !== isFirst);
}
