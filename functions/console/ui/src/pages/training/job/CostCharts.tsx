/** Score over what it costs: once by bytes, once by latency. */

import Container from "@cloudscape-design/components/container";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import { useTranslation } from "react-i18next";

import { Chart } from "../../../components/Chart";
import { paretoOption } from "../../../components/report/options";

interface Costly {
  name: string;
  score: number;
  cost: { model_bytes: number; latency_p50_ms: number };
  isPareto: boolean;
  isChosen: boolean;
}

export function CostCharts({ candidates, metric }: { candidates: readonly Costly[]; metric: string }) {
  const { t } = useTranslation("training");
  const charts = [
    { title: t("pareto.bytes", { metric }), unit: "kB", costOf: (each: Costly) => each.cost.model_bytes / 1000 },
    { title: t("pareto.latency", { metric }), unit: "ms", costOf: (each: Costly) => each.cost.latency_p50_ms },
  ];
  return (
    <Grid gridDefinition={charts.map(() => ({ colspan: { default: 12, s: 6 } }))}>
      {charts.map(({ title, unit, costOf }) => (
        <Container key={title} header={<Header variant="h3">{title}</Header>}>
          <Chart
            label={title}
            option={paretoOption(
              candidates.map((each) => ({ ...each, cost: costOf(each) })),
              { cost: unit, score: metric, pareto: t("pareto.front"), others: t("pareto.others"), chosen: t("chosen") },
            )}
          />
        </Container>
      ))}
    </Grid>
  );
}
