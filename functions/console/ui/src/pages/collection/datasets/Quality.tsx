/** What is expected of a dataset, what the checks of a version found, and how that has gone over the versions. */

import Button from "@cloudscape-design/components/button";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { ApiProblem } from "../../../api/problem";
import { useNotices } from "../../../app/notices";
import { useSession } from "../../../app/session";
import { cellText } from "../../../components/cells";
import { Chart } from "../../../components/Chart";
import { Empty } from "../../../components/Empty";
import { Loaded } from "../../../components/Loaded";
import { Status } from "../../../components/Status";
import { formatNumber } from "../../../components/values";
import { saveText } from "../saving";
import { Expectations } from "./Expectations";

type Dataset = Schemas["Dataset"];
type Report = Schemas["QualityReport"];

export function Quality({ dataset, number }: { dataset: Dataset; number: number | null }) {
  return (
    <SpaceBetween size="xxl">
      {number !== null && <Checks dataset={dataset} number={number} />}
      <Trend dataset={dataset} />
      <Expectations dataset={dataset} number={number} />
    </SpaceBetween>
  );
}

function Checks({ dataset, number }: { dataset: Dataset; number: number }) {
  const { t } = useTranslation("collection");
  const { may } = useSession();
  const notices = useNotices();
  const queries = useQueryClient();
  const path = { dataset: dataset.name, number };
  const report = useQuery({
    queryKey: ["datasets", dataset.name, "versions", number, "quality"],
    // There is none of a version that nothing was expected of.
    queryFn: async (): Promise<Report | null> => {
      try {
        return await dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}/quality", { params: { path } }));
      } catch (error) {
        if (error instanceof ApiProblem && (error.status === 404 || error.status === 409)) return null;
        throw error;
      }
    },
    refetchInterval: 5_000,
  });
  const checking = useMutation({
    mutationFn: () => dataOf(api.POST("/v1/datasets/{dataset}/versions/{number}/quality", { params: { path } })),
    onSuccess: async () => {
      notices.success(t("checks.started"));
      await queries.invalidateQueries({ queryKey: ["datasets", dataset.name] });
    },
    onError: notices.failure,
  });
  const download = async () => {
    const text = await dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}/quality.html", { params: { path }, parseAs: "text" }));
    saveText(text as string, `${dataset.name}-${number}-quality.html`);
  };
  return (
    <Loaded query={report}>
      {(found) => (
        <Table
          variant="borderless"
          header={
            <Header
              variant="h2"
              description={found === null ? undefined : t("checks.of", { number, rows: found.num_rows, before: found.compared_with ?? "–" })}
              actions={
                <SpaceBetween size="xs" direction="horizontal">
                  {found !== null && (
                    <Button iconName="download" onClick={() => void download().catch(notices.failure)}>
                      {t("checks.report")}
                    </Button>
                  )}
                  {may("developer") && (
                    <Button loading={checking.isPending} onClick={() => checking.mutate()}>
                      {t("checks.again")}
                    </Button>
                  )}
                </SpaceBetween>
              }
            >
              {t("checks.title")}
            </Header>
          }
          items={found?.results ?? []}
          trackBy="name"
          ariaLabels={{ tableLabel: t("checks.title") }}
          empty={<Empty title={t("checks.none")} hint={t("checks.noneHint")} />}
          columnDefinitions={[
            { id: "name", header: t("check"), cell: (each) => cellText(each.name), isRowHeader: true },
            { id: "outcome", header: t("outcome"), cell: (each) => <Status status={each.outcome} /> },
            { id: "observed", header: t("observed"), cell: (each) => `${formatNumber(each.observed)} / ${formatNumber(each.limit)}` },
            { id: "message", header: t("found"), cell: (each) => <Found result={each} /> },
          ]}
        />
      )}
    </Loaded>
  );
}

function Found({ result }: { result: Report["results"][number] }) {
  const examples = (result.examples ?? []).map(cellText).join(", ");
  const charts = result.charts ?? [];
  return (
    <>
      {cellText(result.message)}
      {examples !== "" && <div>{examples}</div>}
      {charts.length > 0 && (
        <ExpandableSection headerText={charts.map((each) => cellText(each.title)).slice(0, 3).join(", ")}>
          {charts.slice(0, 6).map((chart) => (
            <Shift key={chart.title} chart={chart} />
          ))}
        </ExpandableSection>
      )}
    </>
  );
}

function Shift({ chart }: { chart: Schemas["Chart"] }) {
  const { t } = useTranslation("collection");
  const option = useMemo(
    () => ({
      title: { text: cellText(chart.title), textStyle: { fontSize: 13 } },
      legend: { right: 0 },
      grid: { left: 8, right: 8, top: 36, bottom: 8, containLabel: true },
      xAxis: { type: "category", data: chart.labels.map(cellText) },
      yAxis: { type: "value" },
      series: [
        { type: "bar", name: t("before"), data: chart.before ?? [] },
        { type: "bar", name: t("now"), data: chart.now },
      ],
    }),
    [chart, t],
  );
  return <Chart option={option} label={chart.title} heightPx={220} />;
}

function Trend({ dataset }: { dataset: Dataset }) {
  const { t } = useTranslation("collection");
  const trend = useQuery({
    queryKey: ["datasets", dataset.name, "quality"],
    queryFn: () => dataOf(api.GET("/v1/datasets/{dataset}/quality", { params: { path: { dataset: dataset.name }, query: { limit: 50 } } })),
    refetchInterval: 10_000,
  });
  const option = useMemo(() => {
    const versions = trend.data?.versions ?? [];
    return {
      legend: { top: 0 },
      grid: { left: 8, right: 8, top: 36, bottom: 8, containLabel: true },
      xAxis: { type: "category", data: versions.map((each) => String(each.number)), name: t("version") },
      yAxis: { type: "value" },
      series: [
        { type: "bar", name: t("rows"), stack: "rows", data: versions.map((each) => each.num_rows ?? 0) },
        { type: "bar", name: t("quarantined"), stack: "rows", data: versions.map((each) => each.num_quarantined ?? 0) },
      ],
    };
  }, [trend.data, t]);
  if ((trend.data?.versions.length ?? 0) < 2) return null;
  return (
    <section>
      <Header variant="h2">{t("checks.trend")}</Header>
      <Chart option={option} label={t("checks.trend")} heightPx={240} />
    </section>
  );
}
