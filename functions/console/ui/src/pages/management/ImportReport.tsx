/** What an import would do, does, or has done, thing by thing; a plan can be carried out. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator, { type StatusIndicatorProps } from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../api/client";
import { useMe } from "../../app/session";
import { Loaded } from "../../components/Loaded";
import { ProblemAlert } from "../../components/ProblemAlert";
import { isMoving } from "../../components/Status";
import { Time } from "../../components/values";
import { JobStatus } from "./JobStatus";

const TYPES: Record<string, StatusIndicatorProps.Type> = { create: "success", rename: "info", skip: "stopped", conflict: "error" };

interface Props {
  job: string;
  onClose: () => void;
  onCarriedOut: (job: string) => void;
}

export function ImportReport({ job, onClose, onCarriedOut }: Props) {
  const { t } = useTranslation("management");
  const workspace = useMe().workspace_id;
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const query = useQuery({
    queryKey: ["transfers", "import", job],
    queryFn: () => dataOf(api.GET("/v1/workspaces/{workspace}/imports/{job}", { params: { path: { workspace, job } } })),
    refetchInterval: ({ state }) => (state.data === undefined || isMoving(state.data.status) ? 1_000 : false),
  });
  const found = query.data;
  const carrying = useMutation({
    mutationFn: async () => {
      const body = { archive: found!.archive, dry_run: false, on_conflict: found!.on_conflict };
      return dataOf(api.POST("/v1/workspaces/{workspace}/imports", { params: { path: { workspace }, header: { "Idempotency-Key": key } }, body }));
    },
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: ["transfers"] });
      onCarriedOut(made.id);
    },
  });
  const isPlanned = found?.dry_run === true && found.status === "SUCCEEDED";
  return (
    <Modal
      visible
      size="max"
      header={t(found?.dry_run ? "transfers.plan" : "transfers.done")}
      onDismiss={onClose}
      closeAriaLabel={t("close", { ns: "common" })}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            {isPlanned && (
              <Button variant="primary" loading={carrying.isPending} onClick={() => carrying.mutate()}>
                {t("transfers.carryOut")}
              </Button>
            )}
            <Button onClick={onClose}>{t("close", { ns: "common" })}</Button>
          </SpaceBetween>
        </Box>
      }
    >
      <Loaded query={query}>
        {(transfer) => (
          <SpaceBetween size="m">
            {carrying.isError && <ProblemAlert error={carrying.error} />}
            <JobStatus status={transfer.status} />
            {transfer.status_reason != null && <Alert type={transfer.status === "FAILED" ? "error" : "info"}>{transfer.status_reason}</Alert>}
            {transfer.report != null && <Report report={transfer.report as Schemas["ImportReport"]} />}
          </SpaceBetween>
        )}
      </Loaded>
    </Modal>
  );
}

function Report({ report }: { report: Schemas["ImportReport"] }) {
  const { t } = useTranslation("management");
  return (
    <SpaceBetween size="m">
      <KeyValuePairs
        columns={3}
        items={[
          { label: t("transfers.from"), value: report.workspace_name },
          { label: t("transfers.exportedAt"), value: <Time at={report.exported_at} /> },
          { label: t("transfers.counts"), value: Object.entries(report.counts).map(([action, count]) => `${t(`transfers.action.${action}`)} ${count}`).join(", ") || "–" },
        ]}
      />
      {(report.to_do ?? []).length > 0 && (
        <Alert type="warning" header={t("transfers.toDo")}>
          {report.to_do!.map((each) => (
            <div key={each}>{each}</div>
          ))}
        </Alert>
      )}
      <Table
        variant="embedded"
        items={report.items}
        trackBy={(each) => `${each.resource} ${each.id}`}
        ariaLabels={{ tableLabel: t("transfers.things") }}
        columnDefinitions={[
          { id: "name", header: t("name"), cell: (each) => each.name, isRowHeader: true },
          { id: "resource", header: t("transfers.resource"), cell: (each) => each.resource },
          { id: "action", header: t("audit.action"), cell: (each) => <StatusIndicator type={TYPES[each.action] ?? "info"}>{t(`transfers.action.${each.action}`)}</StatusIndicator> },
          { id: "new", header: t("transfers.newName"), cell: (each) => each.new_name ?? "–" },
          { id: "reason", header: t("reason"), cell: (each) => each.reason || "–" },
        ]}
      />
    </SpaceBetween>
  );
}
