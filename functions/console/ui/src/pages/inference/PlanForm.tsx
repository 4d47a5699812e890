/** How a version takes over: at once, or by steps within limits. */

import Container from "@cloudscape-design/components/container";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Slider from "@cloudscape-design/components/slider";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tiles from "@cloudscape-design/components/tiles";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";

type Plan = Schemas["RolloutPlan"];
type Guards = NonNullable<Plan["guards"]>;

const STRATEGIES = ["canary", "linear", "shadow"] as const;
const GUARDS: Guards = { max_error_rate: 0.01, max_p95_ms: null, max_disagreement: null, tolerance: 0.05, min_requests: 20 };

export function PlanForm({ plan, onChange }: { plan: Plan | null; onChange: (plan: Plan | null) => void }) {
  const { t } = useTranslation("inference");
  const choose = (strategy: string) => {
    if (strategy === "at-once") onChange(null);
    else onChange({ strategy: strategy as (typeof STRATEGIES)[number], percent: strategy === "shadow" ? 100 : 10, step_percent: null, every_seconds: strategy === "linear" ? 60 : null, guards: plan?.guards ?? GUARDS });
  };
  return (
    <Container header={<Header variant="h2">{t("plan.title")}</Header>}>
      <SpaceBetween size="l">
        <Tiles
          ariaLabel={t("plan.title")}
          value={plan?.strategy ?? "at-once"}
          onChange={({ detail }) => choose(detail.value)}
          columns={4}
          items={["at-once" as const, ...STRATEGIES].map((value) => ({ value, label: t(`plan.${value}`), description: t(`plan.${value}Hint`) }))}
        />
        {plan !== null && <Steps plan={plan} onChange={onChange} />}
      </SpaceBetween>
    </Container>
  );
}

function Steps({ plan, onChange }: { plan: Plan; onChange: (plan: Plan) => void }) {
  const { t } = useTranslation("inference");
  const guards = plan.guards ?? GUARDS;
  const guard = (change: Partial<Guards>) => onChange({ ...plan, guards: { ...guards, ...change } });
  return (
    <SpaceBetween size="l">
      <FormField label={t("plan.percent")}>
        <Slider
          value={plan.percent ?? 10}
          min={1}
          max={100}
          onChange={({ detail }) => onChange({ ...plan, percent: detail.value })}
          valueFormatter={(value) => `${value} %`}
          ariaLabel={t("plan.percent")}
        />
      </FormField>
      {plan.strategy !== "shadow" && (
        <ColumnLayout columns={2}>
          <NumberField label={t("plan.step")} hint={t("plan.stepHint")} value={plan.step_percent} onChange={(step_percent) => onChange({ ...plan, step_percent })} />
          <NumberField label={t("plan.every")} hint={t("plan.everyHint")} value={plan.every_seconds} onChange={(every_seconds) => onChange({ ...plan, every_seconds })} />
        </ColumnLayout>
      )}
      <Header variant="h3" description={t("plan.guardsHint")}>
        {t("plan.guards")}
      </Header>
      <ColumnLayout columns={2}>
        <NumberField label={t("plan.errorRate")} hint={t("plan.errorRateHint")} value={percentOf(guards.max_error_rate)} onChange={(value) => guard({ max_error_rate: shareOf(value) })} />
        <NumberField label={t("plan.p95")} hint={t("plan.off")} value={guards.max_p95_ms} onChange={(max_p95_ms) => guard({ max_p95_ms })} />
        <NumberField label={t("plan.disagreement")} hint={t("plan.disagreementHint")} value={percentOf(guards.max_disagreement)} onChange={(value) => guard({ max_disagreement: shareOf(value) })} />
        <NumberField label={t("plan.minRequests")} hint={t("plan.minRequestsHint")} value={guards.min_requests} onChange={(value) => guard({ min_requests: value ?? 20 })} />
      </ColumnLayout>
    </SpaceBetween>
  );
}

interface NumberFieldProps {
  label: string;
  hint: string;
  value: number | null | undefined;
  onChange: (value: number | null) => void;
}

function NumberField({ label, hint, value, onChange }: NumberFieldProps) {
  return (
    <FormField label={label} description={hint}>
      <Input type="number" step="any" value={value == null ? "" : String(value)} onChange={({ detail }) => onChange(detail.value === "" ? null : Number(detail.value))} />
    </FormField>
  );
}

function percentOf(share: number | null | undefined): number | null {
  return share == null ? null : Number((share * 100).toPrecision(12));
}

function shareOf(percent: number | null): number | null {
  return percent === null ? null : Number((percent / 100).toPrecision(12));
}
