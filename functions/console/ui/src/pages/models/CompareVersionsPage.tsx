/** Versions of a model beside each other: metrics, cost, hyperparameters, what matters to them. */

import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import Multiselect from "@cloudscape-design/components/multiselect";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import { useQueries } from "@tanstack/react-query";
import type { EChartsCoreOption } from "echarts/core";
import { useTranslation } from "react-i18next";
import { useParams, useSearchParams } from "react-router";

import { api, dataOf, type Schemas } from "../../api/client";
import { Link } from "../../app/links";
import { Chart } from "../../components/Chart";
import { compareTables, flatten } from "../../components/differences";
import { DifferenceTable } from "../../components/DifferenceTable";
import { ProblemAlert } from "../../components/ProblemAlert";
import { metricsOf, useVersions } from "./versions";

type Detail = Schemas["ModelVersionDetail"];

const MAX_BARS = 15;

export function CompareVersionsPage() {
  const { t } = useTranslation("models");
  const { model = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const numbers = [...new Set(search.getAll("version"))].map(Number).filter((number) => Number.isInteger(number) && number > 0);
  const versions = useVersions(model);
  const found = useQueries({
    queries: numbers.map((number) => ({
      queryKey: ["model", model, "version", String(number)],
      queryFn: () => dataOf(api.GET("/v1/models/{model}/versions/{number}", { params: { path: { model, number } } })),
    })),
  });
  const details = found.flatMap((query) => query.data ?? []);
  const failed = found.find((query) => query.isError);
  const options = (versions.data ?? []).map((version) => ({ value: String(version.number), label: `@${version.number}`, description: version.algorithm })).reverse();
  return (
    <ContentLayout header={<Header variant="h1">{t("compare.title", { model })}</Header>}>
      <SpaceBetween size="l">
        <Multiselect
          ariaLabel={t("compare.choose")}
          placeholder={t("compare.choose")}
          options={options}
          selectedOptions={options.filter((each) => numbers.includes(Number(each.value)))}
          onChange={({ detail }) => setSearch(detail.selectedOptions.map((each): [string, string] => ["version", each.value ?? ""]))}
        />
        {failed !== undefined && <ProblemAlert error={failed.error} onRetry={() => void failed.refetch()} />}
        {numbers.length < 2 ? <Box color="text-body-secondary">{t("compare.empty")}</Box> : details.length < numbers.length ? failed === undefined && <Spinner /> : <Compared versions={details} />}
      </SpaceBetween>
    </ContentLayout>
  );
}

function Compared({ versions }: { versions: readonly Detail[] }) {
  const { t } = useTranslation("models");
  const columns = versions.map((version) => `@${version.number}`);
  const differences = compareTables(versions.map(tableOf));
  const hasImportances = versions.some((version) => version.card.importances.length > 0);
  return (
    <SpaceBetween size="l">
      <DifferenceTable
        differences={differences}
        columns={versions.map((version) => ({ id: version.id, header: <Link to={`/models/${version.model_name}/versions/${version.number}`}>{`@${version.number}`}</Link> }))}
      />
      {hasImportances && (
        <Container header={<Header variant="h2">{t("report.importances")}</Header>}>
          <Chart label={t("report.importances")} option={importancesOption(versions, columns)} heightPx={420} />
        </Container>
      )}
    </SpaceBetween>
  );
}

function tableOf(version: Detail): Map<string, unknown> {
  const { card } = version;
  return new Map<string, unknown>([
    ...metricsOf(version).map(([name, value]): [string, unknown] => [`metrics.${name}`, value]),
    ["model_bytes", version.model_bytes],
    ["latency_ms", version.latency_ms],
    ["training_seconds", card.training_seconds],
    ["algorithm", card.algorithm],
    ["framework", card.framework],
    ["dataset", card.dataset],
    ["target", card.target],
    ["num_train_rows", card.num_train_rows],
    ...flatten("hyperparameters", card.hyperparameters),
    ...flatten("features", card.features),
    ["seed", card.seed],
    ["inputs", version.signature.inputs.length],
    ["labels", version.signature.labels?.join(", ")],
    ["job", version.job_id],
    ...flatten("versions", card.versions),
  ]);
}

function importancesOption(versions: readonly Detail[], names: readonly string[]): EChartsCoreOption {
  const columns = [...new Set(versions.flatMap((version) => version.card.importances.slice(0, MAX_BARS).map((each) => each.column)))].slice(0, MAX_BARS);
  return {
    grid: { left: 8, right: 24, top: 40, bottom: 24, containLabel: true },
    legend: { top: 0 },
    xAxis: { type: "value" },
    yAxis: { type: "category", data: columns, inverse: true, axisLabel: { width: 160, overflow: "truncate", interval: 0 } },
    series: versions.map((version, index) => ({
      type: "bar",
      name: names[index],
      data: columns.map((column) => version.card.importances.find((each) => each.column === column)?.mean ?? 0),
    })),
  };
}
