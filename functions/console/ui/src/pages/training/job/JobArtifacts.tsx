/** The files that a job left: saved, never shown from here. */

import Box from "@cloudscape-design/components/box";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import { ProblemAlert } from "../../../components/ProblemAlert";
import { formatBytes } from "../../../components/values";
import type { Job } from "../jobs";
import { useArtifacts } from "./results";

export function JobArtifacts({ job }: { job: Job }) {
  const { t } = useTranslation("training");
  const artifacts = useArtifacts(job);
  return (
    <Table
      variant="container"
      header={
        <Header variant="h2" counter={`(${artifacts.data?.length ?? 0})`} description={t("artifacts.description")}>
          {t("artifacts.title")}
        </Header>
      }
      loading={artifacts.isPending}
      items={artifacts.data ?? []}
      trackBy="name"
      filter={artifacts.isError && <ProblemAlert error={artifacts.error} onRetry={() => void artifacts.refetch()} />}
      empty={<Box>{t("artifacts.empty")}</Box>}
      ariaLabels={{ tableLabel: t("artifacts.title") }}
      columnDefinitions={[
        {
          id: "name",
          header: t("artifacts.name"),
          isRowHeader: true,
          cell: (file) => (
            <Link href={file.url} external={false} target="_blank" rel="noreferrer">
              {file.name}
            </Link>
          ),
        },
        { id: "size", header: t("artifacts.size"), cell: (file) => formatBytes(file.num_bytes) },
        { id: "sha256", header: "SHA-256", cell: (file) => <code title={file.sha256}>{file.sha256.slice(0, 16)}…</code> },
      ]}
    />
  );
}
