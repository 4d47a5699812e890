/** Files from the desk into datasets: dropped or chosen, each with the dataset that it goes into. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import FileDropzone from "@cloudscape-design/components/file-dropzone";
import FileInput from "@cloudscape-design/components/file-input";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf } from "../../../api/client";
import { useMe } from "../../../app/session";
import { Code } from "../../../components/Code";
import { isName, nameOf } from "../names";
import { type Chosen, ChosenFiles } from "./ChosenFiles";
import { UploadList } from "./UploadList";
import { add, isBusy, useUploads } from "./uploads";

export function UploadPage() {
  const { t } = useTranslation("collection");
  const [search] = useSearchParams();
  const me = useMe();
  const owner = `${me.workspace_id}/${me.actor}`;
  const uploads = useUploads(owner);
  const [chosen, setChosen] = useState<Chosen[]>([]);
  const system = useQuery({ queryKey: ["system"], queryFn: () => dataOf(api.GET("/v1/system")) });
  useEffect(() => {
    // A file that misses the zone must not take the page's place.
    const keep = (event: DragEvent) => event.preventDefault();
    const warn = (event: BeforeUnloadEvent) => isBusy() && event.preventDefault();
    addEventListener("dragover", keep);
    addEventListener("drop", keep);
    addEventListener("beforeunload", warn);
    return () => {
      removeEventListener("dragover", keep);
      removeEventListener("drop", keep);
      removeEventListener("beforeunload", warn);
    };
  }, []);
  const take = (files: File[]) =>
    setChosen((present) => [
      ...present,
      ...files.map((file) => ({ id: crypto.randomUUID(), file, dataset: search.get("dataset") ?? nameOf(file.name), mode: "replace" as const })),
    ]);
  const start = () => {
    for (const { file, dataset, mode } of chosen) add(owner, file, dataset, mode);
    setChosen([]);
  };
  const folder = system.data?.drop_folder;
  return (
    <ContentLayout header={<Header variant="h1" description={t("upload.description")}>{t("upload.title")}</Header>}>
      <SpaceBetween size="l">
        <Container>
          <SpaceBetween size="m">
            <FileDropzone onChange={({ detail }) => take(detail.value)}>
              <SpaceBetween size="s" alignItems="center">
                <Box>{t("upload.drop")}</Box>
                <FileInput multiple value={[]} onChange={({ detail }) => take(detail.value)} ariaLabel={t("upload.choose")}>
                  {t("upload.choose")}
                </FileInput>
                <Box variant="small">{t("upload.formats")}</Box>
              </SpaceBetween>
            </FileDropzone>
            {chosen.length > 0 && (
              <>
                <ChosenFiles chosen={chosen} onChange={setChosen} />
                <Box float="right">
                  <Button variant="primary" onClick={start} disabled={chosen.some((each) => !isName(each.dataset) || each.file.size === 0)}>
                    {t("upload.start", { count: chosen.length })}
                  </Button>
                </Box>
              </>
            )}
          </SpaceBetween>
        </Container>
        {uploads.length > 0 && <UploadList uploads={uploads} />}
        {folder !== undefined && (
          <Container header={<Header variant="h2" description={t("upload.folderHint")}>{t("upload.folder")}</Header>}>
            <Code>{`aws s3 cp data.csv s3://${folder.bucket}/${folder.prefix}DATASET/`}</Code>
          </Container>
        )}
      </SpaceBetween>
    </ContentLayout>
  );
}
