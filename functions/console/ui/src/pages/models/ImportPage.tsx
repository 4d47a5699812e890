/** Import a model that another tool has made. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FileUpload from "@cloudscape-design/components/file-upload";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";
import { useIdempotencyKey } from "../../api/once";
import { useGo } from "../../app/links";
import { useNotices } from "../../app/notices";
import { Code } from "../../components/Code";
import { ProblemAlert } from "../../components/ProblemAlert";
import { SchemaForm } from "../../components/SchemaForm";
import { errorsOf, type Values, withoutEmpty } from "../training/forms/body";
import { schemaOf } from "../training/forms/request";
import { type Import, importModel, type Stage } from "./importing";

const SCHEMA = schemaOf("ImportSpec", ["format", "task", "target", "labels", "columns", "scores", "input_shape"]);
const NAME = /[^a-z0-9_-]+/g;

export function ImportPage() {
  const { t } = useTranslation("models");
  const go = useGo();
  const notices = useNotices();
  const queries = useQueryClient();
  const [files, setFiles] = useState<File[]>([]);
  const [samples, setSamples] = useState<File[]>([]);
  const [signature, setSignature] = useState<File[]>([]);
  const [name, setName] = useState("");
  const [values, setValues] = useState<Values>({});
  const [isTrusted, setTrusted] = useState(false);
  const keyOf = useIdempotencyKey();
  const [stage, setStage] = useState<Stage | null>(null);
  const importing = useMutation({
    mutationFn: () => {
      const spec = { ...withoutEmpty(values), model: name, trust_pickle: isTrusted } as Import["spec"];
      return importModel({ files, samples: samples[0] ?? null, signature: signature[0] ?? null, spec }, keyOf, setStage);
    },
    onSuccess: (job: Schemas["Job"]) => {
      notices.success(t("import.submitted"));
      void queries.invalidateQueries({ queryKey: ["jobs"] });
      go(`/training/jobs/${job.id}`);
    },
    onSettled: () => setStage(null),
  });
  const errors = errorsOf(importing.error);
  const choose = (chosen: File[]) => {
    setFiles(chosen);
    const [first] = chosen;
    if (name === "" && first !== undefined) setName(first.name.replace(/\.[^.]*$/, "").toLowerCase().replace(NAME, "-").replace(/^[-_]+/, "").slice(0, 63));
  };
  const isReady = files.length > 0 && name !== "";
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (isReady && !importing.isPending) importing.mutate();
  };
  return (
    <ContentLayout maxContentWidth={1000} header={<Header variant="h1" description={t("import.description")}>{t("import.title")}</Header>}>
      <form onSubmit={send}>
        <Form
          actions={
            <Button variant="primary" formAction="submit" disabled={!isReady} loading={importing.isPending} loadingText={stage === null ? undefined : t(`import.stages.${stage}`)}>
              {stage === null ? t("import.submit") : t(`import.stages.${stage}`)}
            </Button>
          }
        >
          <SpaceBetween size="l">
            <Container>
              <SpaceBetween size="l">
                <FileField label={t("import.files")} description={t("import.filesHint")} value={files} onChange={choose} isMultiple />
                <FormField label={t("import.name")} description={t("import.nameHint")} errorText={errors["model"]}>
                  <Input value={name} onChange={({ detail }) => setName(detail.value)} />
                </FormField>
                <FileField label={t("import.samples")} description={t("import.samplesHint")} value={samples} onChange={setSamples} accept=".csv,.jsonl,.npy,.npz" />
                <FileField label={t("import.signature")} description={t("import.signatureHint")} value={signature} onChange={setSignature} accept=".json" />
              </SpaceBetween>
            </Container>
            <ExpandableSection variant="container" headerText={t("import.options")}>
              <SchemaForm schema={SCHEMA} value={values} onChange={setValues} errors={errors} labelOf={(field) => t(`import.fields.${field}`)} />
            </ExpandableSection>
            <Alert type="warning" header={t("import.pickle")}>
              <SpaceBetween size="s">
                <Box>{t("import.pickleHint")}</Box>
                <Checkbox checked={isTrusted} onChange={({ detail }) => setTrusted(detail.checked)}>
                  {t("import.trust")}
                </Checkbox>
              </SpaceBetween>
            </Alert>
            <ExpandableSection headerText={t("import.folders")}>
              <Code>aimass models import ./saved_model --name my-model --samples samples.csv</Code>
            </ExpandableSection>
            {importing.isError && <ProblemAlert error={importing.error} />}
          </SpaceBetween>
        </Form>
      </form>
    </ContentLayout>
  );
}

function FileField(props: { label: string; description: string; value: File[]; onChange: (value: File[]) => void; accept?: string; isMultiple?: boolean }) {
  const { t } = useTranslation("models");
  return (
    <FormField label={props.label} description={props.description}>
      <FileUpload
        value={props.value}
        onChange={({ detail }) => props.onChange(detail.value)}
        multiple={props.isMultiple}
        accept={props.accept}
        showFileSize
        i18nStrings={{
          uploadButtonText: (multiple) => t(multiple ? "import.chooseFiles" : "import.chooseFile"),
          dropzoneText: (multiple) => t(multiple ? "import.dropFiles" : "import.dropFile"),
          removeFileAriaLabel: (index) => t("import.removeFile", { number: index + 1 }),
          limitShowFewer: t("import.fewer"),
          limitShowMore: t("import.more"),
          errorIconAriaLabel: t("import.error"),
        }}
      />
    </FormField>
  );
}
