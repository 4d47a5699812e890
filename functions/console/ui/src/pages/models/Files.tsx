/** A version's files, and how it is taken elsewhere. */

import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";
import { Code } from "../../components/Code";
import { formatBytes } from "../../components/values";

export function Files({ version }: { version: Schemas["ModelVersionDetail"] }) {
  const { t } = useTranslation("models");
  return (
    <SpaceBetween size="l">
      <Table
        variant="container"
        header={<Header variant="h2" description={t("files.hint")}>{t("files.title")}</Header>}
        items={version.artifacts}
        trackBy="name"
        ariaLabels={{ tableLabel: t("files.title") }}
        columnDefinitions={[
          {
            id: "name",
            header: t("name"),
            isRowHeader: true,
            cell: (file) => {
              const url = version.links[file.name];
              return url === undefined ? (
                file.name
              ) : (
                <Link href={url} target="_blank" rel="noreferrer">
                  {file.name}
                </Link>
              );
            },
          },
          { id: "size", header: t("size"), cell: (file) => formatBytes(file.num_bytes) },
          { id: "sha256", header: "SHA-256", cell: (file) => <code title={file.sha256}>{file.sha256.slice(0, 16)}…</code> },
        ]}
      />
      <Container header={<Header variant="h2">{t("files.export")}</Header>}>
        <SpaceBetween size="s">
          <Box>{t("files.exportHint")}</Box>
          <Code>{`aimass models export ${version.model_name}@${version.number}`}</Code>
          <Box>{t("files.serveHint")}</Box>
          <Code>{`aimass serve ${version.model_name}@${version.number}`}</Code>
        </SpaceBetween>
      </Container>
    </SpaceBetween>
  );
}
