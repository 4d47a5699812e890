/** How the four centres are, what runs, and what should be looked at. */

import ColumnLayout from "@cloudscape-design/components/column-layout";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../api/client";
import { useMe } from "../../app/session";
import { Code } from "../../components/Code";
import { Loaded } from "../../components/Loaded";
import { isMoving } from "../../components/Status";
import { formatNumber, formatUsd } from "../../components/values";
import { attentionOf } from "./attention";
import { AttentionTable } from "./AttentionTable";
import { Centre } from "./Centre";
import { useCollection, useInference, useJobs, useSpending, useSystemStatus, useTraining } from "./reading";
import { RunningWork } from "./RunningWork";

export function Overview() {
  const { t } = useTranslation("overview");
  const me = useMe();
  const jobs = useJobs();
  const running = jobs.data?.filter((each) => isMoving(each.status));
  const collection = useCollection(jobs);
  const training = useTraining(collection);
  const inference = useInference(training);
  const status = useSystemStatus(inference);
  const spending = useSpending(inference);
  const system = useQuery({ queryKey: ["system"], queryFn: () => dataOf(api.GET("/v1/system")) });
  const attention = attentionOf(
    {
      sources: collection.data?.sources ?? [],
      versions: collection.data?.versions ?? [],
      triggers: training.data?.triggers ?? [],
      failedJobs: jobs.data?.filter((each) => each.status === "FAILED") ?? [],
      endpoints: inference.data ?? [],
      centres: status.data?.centres ?? [],
      budget: spending.data?.budget ?? null,
    },
    Date.now(),
  );
  const healthOf = (centre: string, isKnown: boolean) => (isKnown ? attention.filter((each) => each.centre === centre).length : null);
  return (
    <ContentLayout header={<Header variant="h1" description={t("description")}>{me.workspace_name}</Header>}>
      <SpaceBetween size="l">
        <ColumnLayout columns={4} minColumnWidth={220}>
          <Centre title={t("common:area.collection")} to="/collection/datasets" numFaults={healthOf("collection", collection.isSuccess)}>
            <Loaded query={collection}>
              {({ sources, datasets, hasMoreDatasets }) => (
                <Centre.Figures
                  figures={[
                    [t("datasets"), `${datasets.length}${hasMoreDatasets ? "+" : ""}`],
                    [t("sources"), sources.length],
                    [t("beingRead"), sources.filter((each) => each.running_job_id != null).length],
                  ]}
                />
              )}
            </Loaded>
          </Centre>
          <Centre title={t("common:area.training")} to="/training/jobs" numFaults={healthOf("training", training.isSuccess && jobs.isSuccess)}>
            <Loaded query={training}>
              {({ numStudies, numModels }) => (
                <Centre.Figures
                  figures={[
                    [t("jobsRunning"), running?.length ?? "–"],
                    [t("studies"), numStudies],
                    [t("models"), numModels],
                  ]}
                />
              )}
            </Loaded>
          </Centre>
          <Centre title={t("common:area.inference")} to="/inference/endpoints" numFaults={healthOf("inference", inference.isSuccess)}>
            <Loaded query={inference}>
              {(endpoints) => (
                <Centre.Figures
                  figures={[
                    [t("endpoints"), endpoints.length],
                    [t("serving"), endpoints.filter((each) => each.serving != null).length],
                    [t("rollouts"), endpoints.filter((each) => each.rollout != null).length],
                  ]}
                />
              )}
            </Loaded>
          </Centre>
          <Centre title={t("common:area.management")} to="/management/system" numFaults={healthOf("management", status.isSuccess)}>
            <Loaded query={spending}>
              {({ todayUsd, isEstimate, budget }) => (
                <Centre.Figures
                  figures={[
                    [t(isEstimate ? "todayEstimate" : "today"), formatUsd(todayUsd)],
                    [t("month"), formatUsd(budget.spent_usd)],
                    [t("budget"), budget.monthly_budget_usd == null ? t("noBudget") : t("budgetSpent", { usd: formatUsd(budget.monthly_budget_usd), percent: formatNumber(budget.percent, 2) })],
                  ]}
                />
              )}
            </Loaded>
          </Centre>
        </ColumnLayout>
        <AttentionTable items={attention} isLoading={collection.isPending || training.isPending || inference.isPending || jobs.isPending} />
        <RunningWork jobs={running ?? []} query={jobs} />
        {system.data !== undefined && (
          <section>
            <Header variant="h2" description={t("dropHint")}>
              {t("dropFolder")}
            </Header>
            <Code>{`s3://${system.data.drop_folder.bucket}/${system.data.drop_folder.prefix}`}</Code>
          </section>
        )}
      </SpaceBetween>
    </ContentLayout>
  );
}
