/** The form of one subsystem: what holds, where each value comes from, and when a change applies. */

import Badge from "@cloudscape-design/components/badge";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, ifMatch, type Schemas } from "../../api/client";
import { ApiProblem } from "../../api/problem";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { changesOf } from "../../components/changes";
import { ProblemAlert } from "../../components/ProblemAlert";
import { type JsonSchema, SchemaForm } from "../../components/SchemaForm";

type Detail = Schemas["SettingsDetail"];
type Values = Record<string, unknown>;

export function SubsystemForm({ detail }: { detail: Detail }) {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const notices = useNotices();
  const queries = useQueryClient();
  // What the form was filled from; what is read meanwhile does not change what is being typed.
  const [base, setBase] = useState(detail);
  const [values, setValues] = useState<Values>(detail.values);
  const [reason, setReason] = useState("");
  const changes = changesOf(base.values, values);
  const isTouched = Object.keys(changes).length > 0;
  const fill = (from: Detail) => (setBase(from), setValues(from.values), setReason(""));
  if (!isTouched && base.revision !== detail.revision) fill(detail);
  const saving = useMutation({
    mutationFn: (given: Values) =>
      dataOf(
        api.PATCH("/v1/settings/{subsystem}", {
          params: { path: { subsystem: base.subsystem }, header: ifMatch(base.revision) },
          body: { values: given as never, reason: reason === "" ? null : reason },
        }),
      ),
    onSuccess: (answer) => {
      const saved = answer as unknown as Detail;
      queries.setQueryData(["settings", saved.subsystem], saved);
      void queries.invalidateQueries({ queryKey: ["settings"] });
      fill(saved);
      notices.success(t("settings.saved", { version: saved.revision }));
    },
  });
  const reload = () => (fill(detail), saving.reset());
  const disabled = !may("admin");
  return (
    <form onSubmit={(event) => (event.preventDefault(), saving.mutate(changes))}>
      <Form
        actions={
          !disabled && (
            <SpaceBetween size="xs" direction="horizontal">
              <Button formAction="none" disabled={!isTouched} onClick={() => fill(detail)}>
                {t("settings.discard")}
              </Button>
              <Button variant="primary" disabled={!isTouched} loading={saving.isPending}>
                {t("save", { ns: "common" })}
              </Button>
            </SpaceBetween>
          )
        }
      >
        <SpaceBetween size="m">
          <Container>
            <SpaceBetween size="l">
              <SchemaForm
                schema={base.json_schema as JsonSchema}
                value={values}
                onChange={setValues}
                errors={errorsOf(saving.error)}
                labelOf={(name, schema) => t(`field.${base.subsystem}_${name}`, { defaultValue: schema.title ?? name })}
                noteOf={(name, schema) => (
                  <Note detail={base} name={name} unit={schema.unit as string | undefined} onDefault={disabled ? undefined : () => saving.mutate({ [name]: null })} />
                )}
                disabled={disabled}
              />
              {isTouched && (
                <FormField label={t("settings.why")} description={t("settings.whyHint")}>
                  <Input value={reason} onChange={({ detail: { value } }) => setReason(value)} />
                </FormField>
              )}
            </SpaceBetween>
          </Container>
          {saving.isError && <ProblemAlert error={saving.error} onRetry={isConflict(saving.error) ? reload : undefined} />}
        </SpaceBetween>
      </Form>
    </form>
  );
}

function Note({ detail, name, unit, onDefault }: { detail: Detail; name: string; unit?: string; onDefault?: () => void }) {
  const { t } = useTranslation("management");
  const field = detail.fields[name];
  if (field === undefined) return null;
  const isOwn = field.source === "workspace";
  const who = isOwn && field.changed_by != null ? t("settings.changedBy", { by: field.changed_by, version: field.version }) : undefined;
  return (
    <SpaceBetween size="xs" direction="horizontal" alignItems="center">
      {unit !== undefined && <Box color="text-body-secondary">{unit}</Box>}
      <span title={who}>
        <Badge color={isOwn ? "blue" : "grey"}>{t(`settings.source.${field.source}`)}</Badge>
      </span>
      <Badge color={field.applies === "live" ? "green" : "grey"}>{t(`settings.applies.${field.applies}`)}</Badge>
      {isOwn && onDefault !== undefined && (
        <Button variant="inline-link" formAction="none" onClick={onDefault} ariaLabel={t("settings.defaultOf", { name })}>
          {t("settings.toDefault", { value: field.default === null ? "–" : String(field.default) })}
        </Button>
      )}
    </SpaceBetween>
  );
}

function isConflict(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 412;
}

/** `body.values.max_seconds` belongs to the field `max_seconds`. */
function errorsOf(error: unknown): Record<string, string> | undefined {
  if (!(error instanceof ApiProblem)) return undefined;
  return Object.fromEntries(error.errors.flatMap(({ location, message }) => (location === undefined ? [] : [[location.replace(/^body\.(values\.)?/, ""), message]])));
}
