/** What a prepare job did, step by step. */

import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { Link } from "../../../app/links";
import { Loaded } from "../../../components/Loaded";
import { formatNumber } from "../../../components/values";
import type { Job } from "../jobs";
import { useResult } from "./results";

export function PreparationResult({ job }: { job: Job }) {
  const preparation = useResult<Schemas["Preparation"]>(job, "output/preparation.json");
  return <Loaded query={preparation}>{(found) => found && <Shown preparation={found} />}</Loaded>;
}

function Shown({ preparation }: { preparation: Schemas["Preparation"] }) {
  const { t } = useTranslation("training");
  return (
    <SpaceBetween size="l">
      <StepTable steps={preparation.steps} />
      <Table
        variant="container"
        header={<Header variant="h2">{t("prepare.outputs")}</Header>}
        items={preparation.outputs}
        ariaLabels={{ tableLabel: t("prepare.outputs") }}
        columnDefinitions={[
          { id: "name", header: t("dataset"), isRowHeader: true, cell: (each) => <Link to={`/collection/datasets/${each.dataset_name}`}>{`${each.dataset_name}@${each.number}`}</Link> },
          { id: "part", header: t("prepare.part"), cell: (each) => each.part || "–" },
          { id: "rows", header: t("rows"), cell: (each) => formatNumber(each.num_rows) },
        ]}
      />
    </SpaceBetween>
  );
}

export function StepTable({ steps }: { steps: readonly Schemas["StepReport"][] }) {
  const { t } = useTranslation("training");
  return (
    <Table
      variant="container"
      header={<Header variant="h2">{t("prepare.steps")}</Header>}
      items={steps}
      ariaLabels={{ tableLabel: t("prepare.steps") }}
      wrapLines
      columnDefinitions={[
        { id: "number", header: "#", cell: (each) => each.number },
        { id: "summary", header: t("prepare.step"), isRowHeader: true, cell: (each) => each.summary },
        { id: "in", header: t("prepare.rowsIn"), cell: (each) => formatNumber(each.num_rows_in) },
        { id: "out", header: t("prepare.rowsOut"), cell: (each) => formatNumber(each.num_rows_out) },
        { id: "changed", header: t("prepare.changed"), cell: (each) => formatNumber(each.num_rows_changed) },
        { id: "quarantined", header: t("prepare.quarantined"), cell: (each) => formatNumber(each.num_quarantined) },
        { id: "notes", header: t("prepare.notes"), cell: (each) => each.notes.join("; ") || "–" },
      ]}
    />
  );
}
