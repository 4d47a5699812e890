/** What the workspace costs: by day, by kind, by what caused it, and what is left of the month's budget. */

import Alert from "@cloudscape-design/components/alert";
import Badge from "@cloudscape-design/components/badge";
import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import DateRangePicker, { type DateRangePickerProps } from "@cloudscape-design/components/date-range-picker";
import FormField from "@cloudscape-design/components/form-field";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator, { type StatusIndicatorProps } from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf, type Schemas } from "../../api/client";
import { LinkButton } from "../../app/links";
import { useSession } from "../../app/session";
import { Chart } from "../../components/Chart";
import { Empty } from "../../components/Empty";
import { Loaded } from "../../components/Loaded";
import { formatNumber, formatUsd, Time } from "../../components/values";
import { daysOption, KINDS } from "./costOptions";

type Costs = Schemas["Costs"];
type Budget = Schemas["CostsBudget"];

const STATES: Record<string, StatusIndicatorProps.Type> = { NONE: "stopped", OK: "success", WARNED: "warning", SPENT: "error" };

export function Costs() {
  const { t } = useTranslation("management");
  const [search, setSearch] = useSearchParams();
  const since = search.get("since") ?? undefined;
  const until = search.get("until") ?? undefined;
  const kind = (search.get("kind") ?? undefined) as Schemas["CostKind"] | undefined;
  const query = useQuery({
    queryKey: ["costs", since, until, kind],
    queryFn: () => dataOf(api.GET("/v1/costs", { params: { query: { since, until, kind } as never } })),
    refetchInterval: 30_000,
    placeholderData: (before) => before,
  });
  const budget = useQuery({ queryKey: ["costs", "budget"], queryFn: () => dataOf(api.GET("/v1/budget")), refetchInterval: 30_000 });
  const set = (change: Record<string, string | undefined>) =>
    setSearch((present) => {
      for (const [name, value] of Object.entries(change)) value === undefined ? present.delete(name) : present.set(name, value);
      return present;
    });
  const kinds = [{ value: "", label: t("all", { ns: "common" }) }, ...KINDS.map((value) => ({ value: value as string, label: t(`costs.kinds.${value}`) }))];
  return (
    <ContentLayout header={<Header variant="h1" description={t("costs.hint")}>{t("costs.title")}</Header>}>
      <SpaceBetween size="l">
        <Loaded query={budget}>{(found) => <BudgetPanel budget={found} />}</Loaded>
        <SpaceBetween size="m" direction="horizontal">
          <Days since={since} until={until} onChange={set} />
          <FormField label={t("costs.kind")}>
            <Select options={kinds} selectedOption={kinds.find((each) => each.value === (kind ?? "")) ?? null} onChange={({ detail }) => set({ kind: detail.selectedOption.value || undefined })} />
          </FormField>
        </SpaceBetween>
        <Loaded query={query}>{(found) => <Shown costs={found} />}</Loaded>
      </SpaceBetween>
    </ContentLayout>
  );
}

function Days({ since, until, onChange }: { since?: string; until?: string; onChange: (change: Record<string, string | undefined>) => void }) {
  const { t } = useTranslation("management");
  const value: DateRangePickerProps.Value | null = since !== undefined && until !== undefined ? { type: "absolute", startDate: since, endDate: until } : null;
  return (
    <FormField label={t("costs.days")}>
      <DateRangePicker
        value={value}
        dateOnly
        rangeSelectorMode="absolute-only"
        relativeOptions={[]}
        placeholder={t("costs.thisMonth")}
        isValidRange={(range) => {
          if (range?.type !== "absolute" || range.startDate === "" || range.endDate === "") return { valid: false, errorMessage: t("costs.bothDays") };
          const days = (Date.parse(range.endDate) - Date.parse(range.startDate)) / 86_400_000;
          return days < 92 ? { valid: true } : { valid: false, errorMessage: t("costs.tooLong") };
        }}
        onChange={({ detail }) =>
          onChange(detail.value?.type === "absolute" ? { since: detail.value.startDate.slice(0, 10), until: detail.value.endDate.slice(0, 10) } : { since: undefined, until: undefined })
        }
      />
    </FormField>
  );
}

function BudgetPanel({ budget }: { budget: Budget }) {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const actions = may("admin") && <LinkButton to="/management/settings/quotas">{t("costs.setBudget")}</LinkButton>;
  return (
    <Container header={<Header variant="h2" actions={actions}>{t("costs.month", { month: budget.month })}</Header>}>
      <SpaceBetween size="m">
        {budget.status === "SPENT" && <Alert type="error">{t(`costs.stops.${budget.stops}`)}</Alert>}
        <KeyValuePairs
          columns={4}
          items={[
            { label: t("status"), value: <StatusIndicator type={STATES[budget.status] ?? "info"}>{t(`costs.state.${budget.status}`)}</StatusIndicator> },
            { label: t("costs.spent"), value: formatUsd(budget.spent_usd) },
            { label: t("costs.forecast"), value: formatUsd(budget.forecast_usd) },
            { label: t("costs.budget"), value: budget.monthly_budget_usd == null ? "–" : formatUsd(budget.monthly_budget_usd) },
          ]}
        />
        {budget.percent != null && (
          <ProgressBar
            value={Math.min(budget.percent, 100)}
            label={t("costs.ofBudget")}
            additionalInfo={`${formatNumber(budget.percent, 3)} %, ${t("costs.warnsAt", { percent: budget.warn_percent })}`}
            status={budget.status === "SPENT" ? "error" : "in-progress"}
            resultText={`${formatNumber(budget.percent, 3)} %`}
          />
        )}
        <Box variant="small">
          {t("costs.countedAt")} <Time at={budget.updated_at} />
        </Box>
      </SpaceBetween>
    </Container>
  );
}

function Shown({ costs }: { costs: Costs }) {
  const { t, i18n } = useTranslation("management");
  const option = useMemo(() => daysOption(costs, (kind) => t(`costs.kinds.${kind}`)), [costs, t, i18n.language]);
  const byKind = KINDS.filter((kind) => costs.by_kind[kind] !== undefined);
  return (
    <SpaceBetween size="l">
      <Grid gridDefinition={[{ colspan: { default: 12, m: 8 } }, { colspan: { default: 12, m: 4 } }]}>
        <Container header={<Header variant="h2">{t("costs.byDay")}</Header>}>
          <Chart option={option} label={t("costs.byDay")} />
        </Container>
        <Container header={<Header variant="h2">{t("costs.total", { usd: formatUsd(costs.usd) })}</Header>}>
          <KeyValuePairs
            items={byKind.map((kind) => ({
              label: t(`costs.kinds.${kind}`),
              value: (
                <>
                  {formatUsd(costs.by_kind[kind])} {costs.is_estimate[kind] && <Badge>{t("costs.estimate")}</Badge>}
                </>
              ),
            }))}
          />
        </Container>
      </Grid>
      <Table
        variant="container"
        items={costs.lines}
        trackBy={(each) => `${each.kind} ${each.subject_id}`}
        header={<Header variant="h2" counter={`(${costs.num_lines})`} description={t("costs.source", { source: costs.price_source })}>{t("costs.lines")}</Header>}
        empty={<Empty title={t("costs.none")} hint={t("costs.noneHint")} />}
        ariaLabels={{ tableLabel: t("costs.lines") }}
        columnDefinitions={[
          { id: "name", header: t("costs.what"), cell: (each) => each.name, isRowHeader: true },
          { id: "kind", header: t("costs.kind"), cell: (each) => t(`costs.kinds.${each.kind}`) },
          { id: "quantity", header: t("costs.quantity"), cell: (each) => `${formatNumber(each.quantity)} ${each.unit}` },
          { id: "usd", header: "USD", cell: (each) => <>{formatUsd(each.usd)} {each.is_estimate && <Badge>{t("costs.estimate")}</Badge>}</> },
        ]}
      />
      <Box color="text-body-secondary">
        {costs.notes?.map((note) => (
          <div key={note}>{note}</div>
        ))}
      </Box>
    </SpaceBetween>
  );
}
