/** The steps of a recipe, each a form of what the API says that the step takes. */

import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useTranslation } from "react-i18next";

import { contract } from "../../../api/contract";
import { type JsonSchema, SchemaForm } from "../../../components/SchemaForm";
import type { Values } from "./body";

const RECIPE = contract("Recipe");
const KINDS = stepSchemas(RECIPE);

interface Props {
  steps: readonly Values[];
  onChange: (steps: Values[]) => void;
  errors: Record<string, string>;
}

export function RecipeSteps({ steps, onChange, errors }: Props) {
  const { t } = useTranslation("training");
  const move = (from: number, to: number) => {
    const changed = [...steps];
    changed.splice(to, 0, ...changed.splice(from, 1));
    onChange(changed);
  };
  return (
    <FormField label={t("prepare.steps")} description={t("prepare.stepsHint")} errorText={errors["recipe"] ?? errors["recipe.steps"]} stretch>
      <SpaceBetween size="s">
        {steps.map((step, index) => {
          const name = String(step["do"]);
          const schema = KINDS[name];
          return (
            <Container
              key={index}
              header={
                <Header
                  variant="h3"
                  description={schema?.description}
                  actions={
                    <SpaceBetween size="xxs" direction="horizontal">
                      <Button formAction="none" variant="icon" iconName="angle-up" ariaLabel={t("prepare.up", { step: index + 1 })} disabled={index === 0} onClick={() => move(index, index - 1)} />
                      <Button formAction="none" variant="icon" iconName="angle-down" ariaLabel={t("prepare.down", { step: index + 1 })} disabled={index === steps.length - 1} onClick={() => move(index, index + 1)} />
                      <Button formAction="none" variant="icon" iconName="remove" ariaLabel={t("prepare.remove", { step: index + 1 })} onClick={() => onChange(steps.filter((_, at) => at !== index))} />
                    </SpaceBetween>
                  }
                >
                  {index + 1}. {name}
                </Header>
              }
            >
              {schema !== undefined && (
                <SchemaForm
                  schema={{ ...without(schema, "do"), $defs: RECIPE.$defs }}
                  value={step}
                  errors={errorsOf(errors, index)}
                  onChange={(values) => onChange(steps.map((each, at) => (at === index ? withoutUndefined(values) : each)))}
                />
              )}
            </Container>
          );
        })}
        <ButtonDropdown
          items={Object.entries(KINDS).map(([name, schema]) => ({ id: name, text: name, secondaryText: schema.description }))}
          onItemClick={({ detail }) => onChange([...steps, { do: detail.id }])}
        >
          {t("prepare.addStep")}
        </ButtonDropdown>
      </SpaceBetween>
    </FormField>
  );
}

/** By the word that a step does. */
function stepSchemas(recipe: JsonSchema): Record<string, JsonSchema> {
  const items = recipe.properties?.["steps"]?.items as (JsonSchema & { discriminator?: { mapping: Record<string, string> } }) | undefined;
  const mapping = items?.discriminator?.mapping ?? {};
  return Object.fromEntries(Object.entries(mapping).map(([name, ref]) => [name, recipe.$defs?.[ref.slice(ref.lastIndexOf("/") + 1)] ?? {}]));
}

function without(schema: JsonSchema, name: string): JsonSchema {
  return { ...schema, properties: Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([each]) => each !== name)) };
}

function withoutUndefined(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** What was said of one step, by its fields. */
function errorsOf(errors: Record<string, string>, index: number): Record<string, string> {
  const before = `recipe.steps.${index}.`;
  return Object.fromEntries(
    Object.entries(errors)
      .filter(([name]) => name.startsWith(before))
      .map(([name, text]) => [name.slice(before.length).split(".").at(-1) ?? name, text]),
  );
}
