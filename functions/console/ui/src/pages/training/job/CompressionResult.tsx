/** What a compress job tried: the Pareto table and its plot. */

import Alert from "@cloudscape-design/components/alert";
import Badge from "@cloudscape-design/components/badge";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { Loaded } from "../../../components/Loaded";
import { formatBytes, formatNumber, formatSeconds } from "../../../components/values";
import type { Job } from "../jobs";
import { CostCharts } from "./CostCharts";
import { useResult } from "./results";

type Compression = Schemas["Compression"];

export function CompressionResult({ job }: { job: Job }) {
  const compression = useResult<Compression>(job, "output/compression.json");
  return <Loaded query={compression}>{(found) => found && <Shown compression={found} />}</Loaded>;
}

function Shown({ compression }: { compression: Compression }) {
  const { t } = useTranslation("training");
  const { candidates, advice, unfit } = compression;
  return (
    <SpaceBetween size="l">
      {advice.length > 0 && <Alert type="warning">{advice.join(" ")}</Alert>}
      <CostCharts
        metric={candidates[0]?.score.metric ?? ""}
        candidates={candidates.map((each) => ({ name: each.name, score: each.score.value, cost: each.cost, isPareto: each.is_pareto, isChosen: each.is_chosen }))}
      />
      <Table
        variant="container"
        header={
          <Header variant="h2" counter={`(${candidates.length})`} description={`${compression.parent}, ${compression.device}, ${t("compress.threads", { count: compression.num_threads })}`}>
            {t("compress.candidates")}
          </Header>
        }
        items={candidates}
        trackBy="name"
        ariaLabels={{ tableLabel: t("compress.candidates") }}
        wrapLines
        columnDefinitions={[
          {
            id: "name",
            header: t("compress.candidate"),
            isRowHeader: true,
            cell: (each) => (
              <SpaceBetween size="xxs" direction="horizontal">
                <span>{each.name}</span>
                {each.is_chosen && <Badge color="green">{t("chosen")}</Badge>}
                {each.is_pareto && <Badge color="blue">Pareto</Badge>}
              </SpaceBetween>
            ),
          },
          { id: "score", header: candidates[0]?.score.metric ?? t("score"), cell: (each) => formatNumber(each.score.value, 5) },
          { id: "drop", header: t("compress.drop"), cell: (each) => formatNumber(each.metric_drop, 3) },
          { id: "bytes", header: t("size"), cell: (each) => formatBytes(each.cost.model_bytes), minWidth: 100 },
          { id: "latency", header: t("latency"), cell: (each) => `${formatNumber(each.cost.latency_p50_ms, 3)} ms`, minWidth: 100 },
          { id: "memory", header: t("memory"), cell: (each) => formatBytes(each.cost.memory_bytes), minWidth: 100 },
          { id: "cold", header: t("coldStart"), cell: (each) => (each.cost.cold_start_ms == null ? "–" : `${formatNumber(each.cost.cold_start_ms, 3)} ms`), minWidth: 100 },
          { id: "seconds", header: t("took"), cell: (each) => formatSeconds(each.seconds), minWidth: 100 },
          { id: "missed", header: t("missed"), cell: (each) => each.missed.join("; ") || "–" },
        ]}
      />
      {unfit.length > 0 && (
        <Alert type="info" header={t("compress.unfit")}>
          <ul>
            {unfit.map((each, index) => (
              <li key={index}>
                {each.method}: {each.reason}
              </li>
            ))}
          </ul>
        </Alert>
      )}
    </SpaceBetween>
  );
}
