/** What a fuse job tried: its members, what each brings, and the methods. */

import Badge from "@cloudscape-design/components/badge";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { Loaded } from "../../../components/Loaded";
import { formatBytes, formatNumber } from "../../../components/values";
import type { Job } from "../jobs";
import { useResult } from "./results";

type Fusion = Schemas["Fusion"];

export function FusionResult({ job }: { job: Job }) {
  const fusion = useResult<Fusion>(job, "output/fusion.json");
  return <Loaded query={fusion}>{(found) => found && <Shown fusion={found} />}</Loaded>;
}

function Shown({ fusion }: { fusion: Fusion }) {
  const { t } = useTranslation("training");
  const metric = fusion.members[0]?.score.metric ?? t("score");
  return (
    <SpaceBetween size="l">
      <KeyValuePairs
        columns={4}
        items={[
          { label: t("fuse.method"), value: fusion.method ?? t("fuse.noMethod") },
          { label: t("fuse.placement"), value: fusion.placement ?? "–" },
          { label: metric, value: formatNumber(fusion.score?.value, 5) },
          { label: t("fuse.bestMember"), value: fusion.best_member },
          { label: t("size"), value: formatBytes(fusion.cost?.model_bytes) },
          { label: t("latency"), value: fusion.cost == null ? "–" : `${formatNumber(fusion.cost.latency_p50_ms, 3)} ms` },
          { label: t("device"), value: fusion.device },
          { label: t("fuse.fitRows"), value: formatNumber(fusion.num_fit_rows) },
        ]}
      />
      <Table
        variant="container"
        header={<Header variant="h2">{t("fuse.members")}</Header>}
        items={fusion.members}
        trackBy="name"
        ariaLabels={{ tableLabel: t("fuse.members") }}
        columnDefinitions={[
          { id: "name", header: t("model"), cell: (each) => each.name, isRowHeader: true },
          { id: "algorithm", header: t("algorithm"), cell: (each) => each.algorithm },
          { id: "weight", header: t("fuse.weight"), cell: (each) => formatNumber(each.weight, 3) },
          { id: "score", header: metric, cell: (each) => formatNumber(each.score.value, 5) },
          { id: "correlation", header: t("fuse.correlation"), cell: (each) => formatNumber(each.correlation, 3) },
          { id: "bytes", header: t("size"), cell: (each) => formatBytes(each.cost.model_bytes), minWidth: 100 },
          { id: "latency", header: t("latency"), cell: (each) => `${formatNumber(each.cost.latency_p50_ms, 3)} ms`, minWidth: 100 },
        ]}
      />
      <Table
        variant="container"
        header={<Header variant="h2">{t("fuse.methods")}</Header>}
        items={fusion.methods}
        trackBy="method"
        ariaLabels={{ tableLabel: t("fuse.methods") }}
        wrapLines
        columnDefinitions={[
          { id: "method", header: t("fuse.method"), isRowHeader: true, cell: (each) => <>{each.method} {each.is_chosen && <Badge color="green">{t("chosen")}</Badge>}</> },
          { id: "score", header: metric, cell: (each) => formatNumber(each.score?.value, 5) },
          { id: "reason", header: t("reason"), cell: (each) => each.reason ?? "–" },
        ]}
      />
    </SpaceBetween>
  );
}
