/** What a decompose job tried: wholes beside the single model, and the experts of the one that was taken. */

import Alert from "@cloudscape-design/components/alert";
import Badge from "@cloudscape-design/components/badge";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { Loaded } from "../../../components/Loaded";
import { markPareto } from "../../../components/report/pareto";
import { formatBytes, formatNumber } from "../../../components/values";
import type { Job } from "../jobs";
import { CostCharts } from "./CostCharts";
import { isLowerBetter } from "./metrics";
import { useResult } from "./results";

type Decomposition = Schemas["Decomposition"];

export function DecompositionResult({ job }: { job: Job }) {
  const decomposition = useResult<Decomposition>(job, "output/decomposition.json");
  return <Loaded query={decomposition}>{(found) => found && <Shown decomposition={found} />}</Loaded>;
}

function Shown({ decomposition }: { decomposition: Decomposition }) {
  const { t } = useTranslation("training");
  const { wholes, experts } = decomposition;
  const metric = wholes[0]?.score.metric ?? t("score");
  const sign = isLowerBetter(metric) ? 1 : -1;
  const marks = markPareto(wholes.map((each) => [sign * each.score.value, each.cost.model_bytes, each.cost.latency_p50_ms]));
  const unfit = Object.entries(decomposition.unfit);
  return (
    <SpaceBetween size="l">
      <CostCharts metric={metric} candidates={wholes.map((each, index) => ({ name: each.name, score: each.score.value, cost: each.cost, isPareto: marks[index] ?? false, isChosen: each.is_chosen }))} />
      <Table
        variant="container"
        header={<Header variant="h2">{t("decompose.wholes")}</Header>}
        items={wholes}
        trackBy="name"
        ariaLabels={{ tableLabel: t("decompose.wholes") }}
        wrapLines
        columnDefinitions={[
          { id: "name", header: t("decompose.whole"), isRowHeader: true, cell: (each) => <>{each.name} {each.is_chosen && <Badge color="green">{t("chosen")}</Badge>}</> },
          { id: "experts", header: t("decompose.experts"), cell: (each) => each.num_experts },
          { id: "score", header: metric, cell: (each) => formatNumber(each.score.value, 5) },
          { id: "bytes", header: t("size"), cell: (each) => formatBytes(each.cost.model_bytes), minWidth: 100 },
          { id: "latency", header: t("latency"), cell: (each) => `${formatNumber(each.cost.latency_p50_ms, 3)} ms`, minWidth: 100 },
          { id: "operations", header: t("decompose.operations"), cell: (each) => formatNumber(each.cost.num_operations) },
          { id: "missed", header: t("missed"), cell: (each) => each.missed.join("; ") || "–" },
        ]}
      />
      {experts.length > 0 && (
        <Table
          variant="container"
          header={<Header variant="h2">{t("decompose.experts")}</Header>}
          items={experts}
          trackBy="name"
          ariaLabels={{ tableLabel: t("decompose.experts") }}
          wrapLines
          columnDefinitions={[
            { id: "name", header: t("decompose.part"), isRowHeader: true, cell: (each) => each.name },
            { id: "purpose", header: t("decompose.purpose"), cell: (each) => each.purpose },
            { id: "algorithm", header: t("algorithm"), cell: (each) => each.algorithm },
            { id: "share", header: t("decompose.share"), cell: (each) => `${formatNumber(each.share * 100, 3)} %` },
            { id: "score", header: metric, cell: (each) => formatNumber(each.score?.value, 5) },
            { id: "single", header: t("decompose.single"), cell: (each) => formatNumber(each.single_score?.value, 5) },
            { id: "bytes", header: t("size"), cell: (each) => formatBytes(each.model_bytes), minWidth: 100 },
          ]}
        />
      )}
      {unfit.length > 0 && (
        <Alert type="info" header={t("compress.unfit")}>
          <ul>
            {unfit.map(([method, reason]) => (
              <li key={method}>
                {method}: {reason}
              </li>
            ))}
          </ul>
        </Alert>
      )}
    </SpaceBetween>
  );
}
