/** One file of a whole workspace: written here, taken in by another workspace or another installation. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import FileUpload from "@cloudscape-design/components/file-upload";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Toggle from "@cloudscape-design/components/toggle";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../api/client";
import { follow } from "../../app/files";
import { useNotices } from "../../app/notices";
import { useMe, useSession } from "../../app/session";
import { Empty } from "../../components/Empty";
import { FormModal } from "../../components/FormModal";
import { ResourceTable } from "../../components/ResourceTable";
import { Time } from "../../components/values";
import { JobStatus } from "./JobStatus";
import { ImportReport } from "./ImportReport";
import { sendArchive } from "./sendArchive";
import { WorkspaceDeletion } from "./WorkspaceDeletion";

type Export = Schemas["WorkspaceExport"];
type Import = Schemas["WorkspaceImport"];

export function Transfers() {
  const { t } = useTranslation("management");
  const { may } = useSession();
  return (
    <ContentLayout header={<Header variant="h1" description={t("transfers.hint")}>{t("transfers.title")}</Header>}>
      <SpaceBetween size="l">
        {may("admin") && <Exports />}
        {may("admin") && <Imports />}
        <WorkspaceDeletion />
      </SpaceBetween>
    </ContentLayout>
  );
}

function Exports() {
  const { t } = useTranslation("management");
  const path = { workspace: useMe().workspace_id };
  const notices = useNotices();
  const [isMaking, setMaking] = useState(false);
  const loading = useMutation({
    mutationFn: async (job: string) => {
      const found = await dataOf(api.GET("/v1/workspaces/{workspace}/exports/{job}", { params: { path: { ...path, job } } }));
      if (found.url != null) follow(found.url);
    },
    onError: notices.failure,
  });
  const make = <Button onClick={() => setMaking(true)}>{t("transfers.export")}</Button>;
  return (
    <>
      <ResourceTable<Export>
        queryKey={["transfers", "exports"]}
        read={async (cursor) => (await dataOf(api.GET("/v1/workspaces/{workspace}/exports", { params: { path, query: { cursor } } }))) as never}
        trackBy={(each) => each.job_id}
        title={t("transfers.exports")}
        variant="container"
        everyMs={3_000}
        actions={make}
        empty={<Empty title={t("transfers.noExports")} action={make} />}
        columns={[
          { id: "at", header: t("at"), cell: (each) => <Time at={each.created_at} />, isRowHeader: true },
          { id: "by", header: t("by"), cell: (each) => each.created_by },
          { id: "status", header: t("status"), cell: (each) => <JobStatus status={each.status} /> },
          { id: "data", header: t("transfers.data"), cell: (each) => t(each.with_data ? "transfers.withData" : "transfers.withoutData") },
          { id: "reason", header: t("reason"), cell: (each) => each.status_reason ?? "–" },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) =>
              each.status === "SUCCEEDED" ? (
                <Button variant="inline-link" iconName="download" onClick={() => loading.mutate(each.job_id)} ariaLabel={t("transfers.downloadOf", { at: each.created_at })}>
                  {t("transfers.download")}
                </Button>
              ) : (
                "–"
              ),
          },
        ]}
      />
      {isMaking && <MakeExport onClose={() => setMaking(false)} />}
    </>
  );
}

function MakeExport({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("management");
  const path = { workspace: useMe().workspace_id };
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [withData, setWithData] = useState(false);
  const make = async () => {
    await api.POST("/v1/workspaces/{workspace}/exports", { params: { path, header: { "Idempotency-Key": key } }, body: { with_data: withData } });
    await queries.invalidateQueries({ queryKey: ["transfers"] });
  };
  return (
    <FormModal title={t("transfers.export")} verb={t("transfers.export")} onSubmit={make} onClose={onClose}>
      <Alert type="info">{t("transfers.exportHint")}</Alert>
      <Toggle checked={withData} onChange={({ detail }) => setWithData(detail.checked)}>
        {t("transfers.rows")}
      </Toggle>
    </FormModal>
  );
}

function Imports() {
  const { t } = useTranslation("management");
  const path = { workspace: useMe().workspace_id };
  const [isMaking, setMaking] = useState(false);
  const [opened, setOpened] = useState<string | null>(null);
  const make = <Button onClick={() => setMaking(true)}>{t("transfers.import")}</Button>;
  return (
    <>
      <ResourceTable<Import>
        queryKey={["transfers", "imports"]}
        read={async (cursor) => (await dataOf(api.GET("/v1/workspaces/{workspace}/imports", { params: { path, query: { cursor } } }))) as never}
        trackBy={(each) => each.job_id}
        title={t("transfers.imports")}
        variant="container"
        everyMs={3_000}
        actions={make}
        empty={<Empty title={t("transfers.noImports")} action={make} />}
        columns={[
          { id: "at", header: t("at"), cell: (each) => <Time at={each.created_at} />, isRowHeader: true },
          { id: "by", header: t("by"), cell: (each) => each.created_by },
          { id: "status", header: t("status"), cell: (each) => <JobStatus status={each.status} /> },
          { id: "kind", header: t("transfers.kind"), cell: (each) => t(each.dry_run ? "transfers.plan" : "transfers.done") },
          { id: "reason", header: t("reason"), cell: (each) => each.status_reason ?? "–" },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) => (
              <Button variant="inline-link" onClick={() => setOpened(each.job_id)} ariaLabel={t("transfers.showOf", { at: each.created_at })}>
                {t("transfers.show")}
              </Button>
            ),
          },
        ]}
      />
      {isMaking && <MakeImport onClose={() => setMaking(false)} onMade={setOpened} />}
      {opened !== null && <ImportReport job={opened} onClose={() => setOpened(null)} onCarriedOut={setOpened} />}
    </>
  );
}

function MakeImport({ onClose, onMade }: { onClose: () => void; onMade: (job: string) => void }) {
  const { t } = useTranslation("management");
  const workspace = useMe().workspace_id;
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [files, setFiles] = useState<File[]>([]);
  const [isPlan, setPlan] = useState(true);
  const [onConflict, setOnConflict] = useState<Import["on_conflict"]>("fail");
  const [percent, setPercent] = useState<number | null>(null);
  const ways = (["fail", "skip", "rename"] as const).map((value) => ({ value, label: t(`transfers.conflict.${value}`) }));
  const make = async () => {
    const archive = await sendArchive(workspace, files[0]!, setPercent);
    const params = { path: { workspace }, header: { "Idempotency-Key": key } };
    const job = await dataOf(api.POST("/v1/workspaces/{workspace}/imports", { params, body: { archive, dry_run: isPlan, on_conflict: onConflict } }));
    await queries.invalidateQueries({ queryKey: ["transfers"] });
    onMade(job.id);
  };
  return (
    <FormModal title={t("transfers.import")} verb={t(isPlan ? "transfers.toPlan" : "transfers.import")} onSubmit={make} onClose={onClose} disabled={files.length === 0}>
      <FormField label={t("transfers.archive")} description={t("transfers.archiveHint")}>
        <FileUpload
          value={files}
          onChange={({ detail }) => setFiles(detail.value.slice(-1))}
          accept=".zip"
          showFileSize
          i18nStrings={{ uploadButtonText: () => t("transfers.choose"), dropzoneText: () => t("transfers.drop"), removeFileAriaLabel: () => t("delete", { ns: "common" }) }}
        />
      </FormField>
      <FormField label={t("transfers.onConflict")}>
        <Select options={ways} selectedOption={ways.find((each) => each.value === onConflict)!} onChange={({ detail }) => setOnConflict(detail.selectedOption.value as Import["on_conflict"])} />
      </FormField>
      <Toggle checked={isPlan} onChange={({ detail }) => setPlan(detail.checked)}>
        {t("transfers.dryRun")}
      </Toggle>
      {percent !== null && <ProgressBar value={percent} label={t("transfers.sending")} />}
    </FormModal>
  );
}
