/** Answers to every row of a dataset, as a dataset: jobs of the kind predict. */

import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Modal from "@cloudscape-design/components/modal";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../api/client";
import { Link } from "../../app/links";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Empty } from "../../components/Empty";
import { ProblemAlert } from "../../components/ProblemAlert";
import { ResourceTable } from "../../components/ResourceTable";
import { Status } from "../../components/Status";
import { formatSeconds, Time } from "../../components/values";

type Job = Schemas["Job"];
type Spec = Schemas["PredictSpec"];

export function Batch() {
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const [isOpen, setOpen] = useState(false);
  const start = may("developer") && (
    <Button variant="primary" onClick={() => setOpen(true)}>
      {t("batch.start")}
    </Button>
  );
  return (
    <>
      <ResourceTable<Job>
        queryKey={["jobs", "predict"]}
        read={async (cursor) => {
          const page = await dataOf(api.GET("/v1/jobs", { params: { query: { cursor, limit: 100 } } }));
          // NOTE: the types of an answer know tuples as lists only.
          return { next_cursor: page.next_cursor, items: (page.items as unknown as Job[]).filter((job) => job.kind === "predict") };
        }}
        trackBy={(each) => each.id}
        title={t("batch.title")}
        description={t("batch.hint")}
        actions={start}
        everyMs={3_000}
        empty={<Empty title={t("batch.none")} hint={t("batch.noneHint")} action={start} />}
        columns={[
          { id: "id", header: t("batch.job"), cell: (each) => <Link to={`/training/jobs/${each.id}`}>{each.id}</Link>, isRowHeader: true, width: 300 },
          { id: "status", header: t("status"), cell: (each) => <Status status={each.status} />, sortingField: "status" },
          { id: "model", header: t("deploy.model"), cell: (each) => specOf(each).model },
          { id: "dataset", header: t("truth.dataset"), cell: (each) => specOf(each).dataset },
          { id: "output", header: t("batch.output"), cell: (each) => <Output job={each} /> },
          { id: "took", header: t("batch.took"), cell: (each) => formatSeconds(secondsOf(each)) },
          { id: "at", header: t("batch.at"), cell: (each) => <Time at={each.created_at} />, sortingField: "created_at" },
          { id: "reason", header: t("reason"), cell: (each) => each.failure?.cause ?? each.status_reason ?? "–", width: 300 },
        ]}
      />
      {isOpen && <StartForm onClose={() => setOpen(false)} />}
    </>
  );
}

function specOf(job: Job): Spec {
  return job.spec as Spec;
}

function Output({ job }: { job: Job }) {
  const name = specOf(job).output ?? `${specOf(job).dataset.split("@")[0]}-predictions`;
  return job.status === "SUCCEEDED" ? <Link to={`/collection/datasets/${name}`}>{name}</Link> : <>{name}</>;
}

function secondsOf(job: Job): number | null {
  if (job.started_at == null) return null;
  return (Date.parse(job.ended_at ?? new Date().toISOString()) - Date.parse(job.started_at)) / 1000;
}

function StartForm({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("inference");
  const notices = useNotices();
  const queries = useQueryClient();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const [spec, setSpec] = useState({ model: "", dataset: "", keys: "", output: "", workers: "1", mode: "replace" });
  const set = (change: Partial<typeof spec>) => setSpec((present) => ({ ...present, ...change }));
  const starting = useMutation({
    mutationFn: () => {
      const body: Spec = {
        kind: "predict",
        model: spec.model.trim(),
        dataset: spec.dataset.trim(),
        keys: spec.keys.split("\n").filter((each) => each.trim() !== ""),
        output: spec.output === "" ? null : spec.output,
        mode: spec.mode as Spec["mode"],
        num_workers: Number(spec.workers),
      };
      return dataOf(api.POST("/v1/jobs", { params: { header: { "Idempotency-Key": idempotencyKey } }, body: { spec: body } as Schemas["JobCreate"] }));
    },
    onSuccess: (job) => {
      notices.success(t("batch.started", { id: job.id }));
      void queries.invalidateQueries({ queryKey: ["jobs"] });
      onClose();
    },
  });
  const modes = (["replace", "append"] as const).map((value) => ({ value, label: t(`batch.${value}`) }));
  return (
    <Modal visible header={t("batch.start")} onDismiss={onClose} closeAriaLabel={t("cancel", { ns: "common" })}>
      <form onSubmit={(event) => (event.preventDefault(), starting.mutate())}>
        <SpaceBetween size="m">
          <FormField label={t("deploy.model")} description={t("batch.modelHint")}>
            <Input value={spec.model} onChange={({ detail }) => set({ model: detail.value })} autoFocus />
          </FormField>
          <FormField label={t("truth.dataset")} description={t("batch.datasetHint")}>
            <Input value={spec.dataset} onChange={({ detail }) => set({ dataset: detail.value })} />
          </FormField>
          <FormField label={t("batch.keys")} description={t("batch.keysHint")}>
            <Textarea value={spec.keys} rows={2} onChange={({ detail }) => set({ keys: detail.value })} />
          </FormField>
          <FormField label={t("batch.output")}>
            <Input value={spec.output} placeholder={spec.dataset === "" ? "" : `${spec.dataset.split("@")[0]}-predictions`} onChange={({ detail }) => set({ output: detail.value })} />
          </FormField>
          <FormField label={t("batch.mode")}>
            <Select options={modes} selectedOption={modes.find((each) => each.value === spec.mode)!} onChange={({ detail }) => set({ mode: detail.selectedOption.value })} />
          </FormField>
          <FormField label={t("batch.workers")}>
            <Input type="number" value={spec.workers} onChange={({ detail }) => set({ workers: detail.value })} />
          </FormField>
          {starting.isError && <ProblemAlert error={starting.error} />}
          <Button variant="primary" loading={starting.isPending} disabled={spec.model === "" || spec.dataset === ""}>
            {t("batch.start")}
          </Button>
        </SpaceBetween>
      </form>
    </Modal>
  );
}
