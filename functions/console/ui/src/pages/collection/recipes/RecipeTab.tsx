/** Steps that make a clean dataset of this one: tried on a sample, then run as a job. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../../api/client";
import { useSchemas } from "../../../api/schemas";
import { useGo } from "../../../app/links";
import { useNotices } from "../../../app/notices";
import { Empty } from "../../../components/Empty";
import { Loaded } from "../../../components/Loaded";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { PiecesForm, type Piece } from "../PiecesForm";
import { isName } from "../names";
import { RecipePreview } from "./RecipePreview";
import { STEPS } from "./steps";

type Recipe = Schemas["Recipe"];

export function RecipeTab({ dataset, number }: { dataset: Schemas["Dataset"]; number: number }) {
  const { t } = useTranslation("collection");
  const go = useGo();
  const notices = useNotices();
  const schemas = useSchemas();
  const [steps, setSteps] = useState<Piece[]>([]);
  const [output, setOutput] = useState(`${dataset.name}-prepared`.slice(0, 63));
  const [key, setKey] = useState(newIdempotencyKey);
  const change = (next: Piece[]) => {
    setSteps(next);
    setKey(newIdempotencyKey());
  };
  const recipe = { steps } as unknown as Recipe;
  const trying = useMutation({
    mutationFn: () => dataOf(api.POST("/v1/datasets/{dataset}/preview", { params: { path: { dataset: dataset.name } }, body: { recipe, number, num_sampled: 1_000, limit: 50 } })),
  });
  const running = useMutation({
    mutationFn: () =>
      dataOf(
        api.POST("/v1/jobs", {
          params: { header: { "Idempotency-Key": key } },
          body: { spec: { kind: "prepare", dataset: `${dataset.name}@${number}`, recipe, output } } as unknown as Schemas["JobCreate"],
        }),
      ),
    onSuccess: (job) => {
      notices.success(t("recipe.started", { id: job.id, output }));
      go(`/training/jobs/${job.id}`);
    },
  });
  return (
    <SpaceBetween size="l">
      <Header
        variant="h2"
        counter={`(${steps.length})`}
        description={t("recipe.hint", { number })}
        actions={
          <SpaceBetween size="xs" direction="horizontal">
            <ButtonDropdown items={Object.keys(STEPS).map((step) => ({ id: step, text: t(`step.${step}`) }))} onItemClick={({ detail }) => change([...steps, { do: detail.id }])}>
              {t("recipe.add")}
            </ButtonDropdown>
            <Button disabled={steps.length === 0} loading={trying.isPending} onClick={() => trying.mutate()}>
              {t("recipe.try")}
            </Button>
          </SpaceBetween>
        }
      >
        {t("tab.recipe")}
      </Header>
      {steps.length === 0 && <Empty title={t("recipe.none")} hint={t("recipe.noneHint")} />}
      <Loaded query={schemas}>
        {(found) => (
          <PiecesForm pieces={steps} kindKey="do" schemas={STEPS} definitions={found} titleOf={(piece) => t(`step.${String(piece.do)}`)} onChange={change} isOrdered />
        )}
      </Loaded>
      {trying.isError && <ProblemAlert error={trying.error} />}
      {trying.data !== undefined && <RecipePreview preview={trying.data} />}
      {steps.length > 0 && (
        <SpaceBetween size="s">
          {running.isError && <ProblemAlert error={running.error} />}
          <FormField label={t("recipe.output")} description={t("recipe.outputHint")} errorText={isName(output) ? undefined : t("nameRule")}>
            <SpaceBetween size="xs" direction="horizontal">
              <Input value={output} onChange={({ detail }) => (setOutput(detail.value), setKey(newIdempotencyKey()))} />
              <Button variant="primary" disabled={!isName(output)} loading={running.isPending} onClick={() => running.mutate()}>
                {t("recipe.run")}
              </Button>
            </SpaceBetween>
          </FormField>
          <Box variant="small">{t("recipe.more")}</Box>
        </SpaceBetween>
      )}
    </SpaceBetween>
  );
}
