/** One column: its histogram or its commonest values, and its figures. */

import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { cellText } from "../../../components/cells";
import { Chart } from "../../../components/Chart";
import { formatNumber } from "../../../components/values";

type Column = Schemas["ColumnProfile"];

export function ColumnDetail({ column, numRows }: { column: Column; numRows: number }) {
  const { t } = useTranslation("collection");
  const bars = useMemo(() => barsOf(column), [column]);
  const option = useMemo(
    () => ({
      grid: { left: 8, right: 8, top: 16, bottom: 8, containLabel: true },
      xAxis: { type: "category", data: bars.map((bar) => bar.label), axisLabel: { hideOverlap: true, width: 120, overflow: "truncate" } },
      yAxis: { type: "value" },
      series: [{ type: "bar", name: t("rows"), data: bars.map((bar) => bar.count), barCategoryGap: column.histogram == null ? "30%" : "2%" }],
    }),
    [bars, column.histogram, t],
  );
  const figures: [string, number | null | undefined][] = [
    [t("std"), column.std],
    ...Object.entries(column.quantiles ?? {}).map(([name, value]): [string, number] => [t("quantile", { percent: Number(name) * 100 }), value]),
    [t("meanLength"), column.mean_length],
    [t("minLength"), column.min_length],
    [t("maxLength"), column.max_length],
  ];
  const known = figures.filter(([, value]) => value !== null && value !== undefined);
  return (
    <Container header={<Header variant="h2" description={t("ofRows", { type: column.type, count: numRows })}>{cellText(column.name)}</Header>}>
      <SpaceBetween size="m">
        {bars.length > 0 && <Chart option={option} label={t("distributionOf", { column: cellText(column.name) })} heightPx={240} />}
        {known.length > 0 && <KeyValuePairs columns={4} items={known.map(([label, value]) => ({ label, value: formatNumber(value) }))} />}
      </SpaceBetween>
    </Container>
  );
}

function barsOf(column: Column): { label: string; count: number }[] {
  const histogram = column.histogram;
  if (histogram != null) {
    return histogram.counts.map((count, index) => ({
      label: `${formatNumber(histogram.edges[index])} – ${formatNumber(histogram.edges[index + 1])}`,
      count,
    }));
  }
  return (column.top_values ?? []).map((each) => ({ label: cellText(each.value), count: each.count }));
}
