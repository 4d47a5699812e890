/** What the members of a fusion count at this endpoint: a slider for each, only their ratio matters. */

import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Slider from "@cloudscape-design/components/slider";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, ifMatch, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { ProblemAlert } from "../../components/ProblemAlert";
import { formatNumber } from "../../components/values";
import type { Endpoint } from "./endpoint";

type Weighted = Record<string, number>;

export function Weights({ endpoint, serving }: { endpoint: Endpoint; serving: Schemas["ServedModel"] }) {
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const notices = useNotices();
  const queries = useQueryClient();
  const members = serving.members ?? [];
  const fitted: Weighted = Object.fromEntries(members.map((each) => [`${each.model_name}@${each.number}`, each.weight ?? 0]));
  const [changed, setChanged] = useState<Weighted | null>(null);
  const weights = changed ?? endpoint.weights ?? fitted;
  const sum = Object.values(weights).reduce((total, each) => total + each, 0);
  const saving = useMutation({
    mutationFn: (given: Weighted | null) =>
      api.PATCH("/v1/endpoints/{endpoint}", {
        params: { path: { endpoint: endpoint.name }, header: ifMatch(endpoint.revision ?? 1) },
        body: { weights: given },
      }),
    onSuccess: () => (setChanged(null), notices.success(t("weights.saved"))),
    onSettled: () => queries.invalidateQueries({ queryKey: ["endpoints"] }),
  });
  // Stacking has no weights to change.
  if (members.some((each) => each.weight == null)) return null;
  return (
    <Container header={<Header variant="h2" description={t("weights.hint")}>{t("weights.title")}</Header>}>
      <SpaceBetween size="m">
        {Object.entries(weights).map(([name, weight]) => {
          const percent = sum === 0 ? 0 : Math.round((100 * weight) / sum);
          return (
            <FormField key={name} label={`${name}: ${formatNumber(percent)} %`}>
              <Slider
                min={0}
                max={100}
                value={percent}
                disabled={!may("developer")}
                ariaLabel={name}
                onChange={({ detail }) => setChanged(share(weights, name, detail.value / 100))}
                valueFormatter={(value) => `${value} %`}
              />
            </FormField>
          );
        })}
        {saving.isError && <ProblemAlert error={saving.error} />}
        {may("developer") && (
          <SpaceBetween size="xs" direction="horizontal">
            <Button variant="primary" disabled={changed === null || sum === 0} loading={saving.isPending} onClick={() => saving.mutate(weights)}>
              {t("save", { ns: "common" })}
            </Button>
            <Button disabled={endpoint.weights == null} onClick={() => saving.mutate(null)}>
              {t("weights.fitted")}
            </Button>
          </SpaceBetween>
        )}
      </SpaceBetween>
    </Container>
  );
}

/** One member gets this share of all; the others keep their ratio. */
export function share(weights: Weighted, name: string, part: number): Weighted {
  const others = Object.entries(weights).filter(([each]) => each !== name);
  const sum = others.reduce((total, [, weight]) => total + weight, 0);
  const rest = others.map(([each, weight]) => [each, (1 - part) * (sum === 0 ? 1 / others.length : weight / sum)] as const);
  const shares: Weighted = { ...Object.fromEntries(rest), [name]: part };
  return Object.fromEntries(Object.keys(weights).map((each) => [each, shares[each] ?? 0]));
}
