/** Uploads of this tab: how far each is, and what became of it. */

import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import { Link } from "../../../app/links";
import { useNotices } from "../../../app/notices";
import { cellText } from "../../../components/cells";
import { Status } from "../../../components/Status";
import { formatBytes } from "../../../components/values";
import { useVersion } from "../datasets/dataset";
import { cancel, type FileUpload, forget, pause, resume } from "./uploads";

export function UploadList({ uploads }: { uploads: readonly FileUpload[] }) {
  const { t } = useTranslation("collection");
  return (
    <Table
      items={uploads}
      trackBy="id"
      header={<Header variant="h2">{t("upload.list")}</Header>}
      ariaLabels={{ tableLabel: t("upload.list") }}
      columnDefinitions={[
        { id: "file", header: t("upload.file"), cell: (each) => cellText(each.file.name), isRowHeader: true },
        { id: "dataset", header: t("dataset"), cell: (each) => <Link to={`/collection/datasets/${each.dataset}`}>{each.dataset}</Link> },
        { id: "progress", header: t("status"), cell: (each) => <Progress upload={each} />, minWidth: 280 },
        { id: "actions", header: t("actions"), cell: (each) => <Actions upload={each} /> },
      ]}
    />
  );
}

function Progress({ upload }: { upload: FileUpload }) {
  const { t } = useTranslation("collection");
  const { phase, numBytes, file, error, version, dataset } = upload;
  if (phase === "done" && version !== undefined) return <Made dataset={dataset} number={version.number} />;
  if (phase === "failed") return <StatusIndicator type="error">{error instanceof Error ? error.message : String(error)}</StatusIndicator>;
  if (phase === "cancelled" || phase === "paused") return <StatusIndicator type="stopped">{t(`upload.${phase}`)}</StatusIndicator>;
  return (
    <ProgressBar
      value={(numBytes / file.size) * 100}
      additionalInfo={`${formatBytes(numBytes)} / ${formatBytes(file.size)}`}
      description={t(`upload.${phase}`)}
      ariaLabel={cellText(file.name)}
    />
  );
}

function Made({ dataset, number }: { dataset: string; number: number }) {
  const { t } = useTranslation("collection");
  const version = useVersion(dataset, number);
  return (
    <SpaceBetween size="xs" direction="horizontal">
      <Link to={`/collection/datasets/${dataset}?version=${number}`}>{t("versionNumber", { number })}</Link>
      <Status status={version.data?.status ?? "PENDING"} />
      <span>{version.data?.status_reason}</span>
    </SpaceBetween>
  );
}

function Actions({ upload }: { upload: FileUpload }) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const name = cellText(upload.file.name);
  const isRunning = upload.phase === "hashing" || upload.phase === "sending";
  const canResume = upload.phase === "paused" || upload.phase === "failed";
  return (
    <SpaceBetween size="xs" direction="horizontal">
      {isRunning && <Button variant="inline-link" ariaLabel={`${t("upload.pause")} ${name}`} onClick={() => pause(upload.id)}>{t("upload.pause")}</Button>}
      {canResume && <Button variant="inline-link" ariaLabel={`${t("upload.resume")} ${name}`} onClick={() => resume(upload.id)}>{t("upload.resume")}</Button>}
      {(isRunning || canResume) && (
        <Button variant="inline-link" ariaLabel={`${t("common:cancel")} ${name}`} onClick={() => void cancel(upload.id).catch(notices.failure)}>
          {t("common:cancel")}
        </Button>
      )}
      {!isRunning && <Button variant="inline-icon" iconName="close" ariaLabel={`${t("common:dismiss")} ${name}`} onClick={() => forget(upload.id)} />}
    </SpaceBetween>
  );
}
