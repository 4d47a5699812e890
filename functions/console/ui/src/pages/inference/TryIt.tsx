/** Asks the endpoint: a form made of the signature, rows as JSON, an image, or tensors. */

import Button from "@cloudscape-design/components/button";
import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import FileUpload from "@cloudscape-design/components/file-upload";
import FormField from "@cloudscape-design/components/form-field";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { Code } from "../../components/Code";
import { Empty } from "../../components/Empty";
import { ProblemAlert } from "../../components/ProblemAlert";
import { SchemaForm } from "../../components/SchemaForm";
import { Answer } from "./Answer";
import type { Endpoint } from "./endpoint";
import { type Row, rowSchema, type Signature, takesRows, tensorRequest, typicalRow } from "./signature";

type Mode = "form" | "rows" | "image" | "tensors";

export function TryIt({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  if (endpoint.signature == null || endpoint.serving == null) return <Empty title={t("try.nothing")} hint={t("try.nothingHint")} />;
  return <Form endpoint={endpoint} signature={endpoint.signature} />;
}

function Form({ endpoint, signature }: { endpoint: Endpoint; signature: Signature }) {
  const { t } = useTranslation("inference");
  const queries = useQueryClient();
  const modes = modesOf(signature);
  const [mode, setMode] = useState<Mode>(modes[0]!);
  const schema = useMemo(() => rowSchema(signature), [signature]);
  const [row, setRow] = useState<Row>(() => typicalRow(signature));
  const [text, setText] = useState(() => JSON.stringify([typicalRow(signature)], null, 2));
  const [tensors, setTensors] = useState(() => JSON.stringify(tensorRequest(signature), null, 2));
  const [images, setImages] = useState<File[]>([]);
  const [explain, setExplain] = useState(false);
  const asking = useMutation({
    mutationFn: async () => {
      const started = performance.now();
      const answer = await ask();
      return { ...answer, milliseconds: performance.now() - started };
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["endpoints", endpoint.name, "metrics"] }),
  });

  async function ask(): Promise<{ rows?: Schemas["Predictions"]; tensors?: unknown }> {
    if (mode === "tensors") {
      const body = parse(tensors, t("try.notJson"));
      return { tensors: await dataOf(api.POST("/v2/models/{model}/infer", { params: { path: { model: endpoint.name } }, body: body as never })) };
    }
    const params = { path: { endpoint: endpoint.name }, query: { explain } };
    if (mode === "image") {
      const image = images[0]!;
      const sent = { params, body: image as never, bodySerializer: (body: unknown) => body as Blob, headers: { "content-type": image.type } };
      return { rows: (await dataOf(api.POST("/v1/endpoints/{endpoint}/predict", sent as never))) as Schemas["Predictions"] };
    }
    const rows = mode === "form" ? [row] : (parse(text, t("try.notJson")) as Row[]);
    const answer = await dataOf(api.POST("/v1/endpoints/{endpoint}/predict", { params, body: { rows: Array.isArray(rows) ? rows : [rows] } }));
    return { rows: answer as Schemas["Predictions"] };
  }

  const inputs = {
    form: <SchemaForm schema={schema} value={row} onChange={setRow} />,
    rows: (
      <FormField label={t("try.rows")} description={t("try.rowsHint")} stretch>
        <Textarea value={text} onChange={({ detail }) => setText(detail.value)} rows={16} spellcheck={false} />
      </FormField>
    ),
    tensors: (
      <FormField label={t("try.tensors")} description={t("try.tensorsHint")} stretch>
        <Textarea value={tensors} onChange={({ detail }) => setTensors(detail.value)} rows={16} spellcheck={false} />
      </FormField>
    ),
    image: (
      <FormField label={t("try.image")} description={t("try.imageHint")}>
        <FileUpload
          value={images}
          onChange={({ detail }) => setImages(detail.value.slice(-1))}
          accept="image/png,image/jpeg"
          showFileThumbnail
          i18nStrings={{ uploadButtonText: () => t("try.choose"), dropzoneText: () => t("try.drop"), removeFileAriaLabel: () => t("delete", { ns: "common" }) }}
        />
      </FormField>
    ),
  };
  return (
    <Grid gridDefinition={[{ colspan: { default: 12, s: 6 } }, { colspan: { default: 12, s: 6 } }]}>
      <form onSubmit={(event) => (event.preventDefault(), asking.mutate())}>
        <Container header={<Header variant="h2" description={t("try.hint")}>{t("try.title")}</Header>}>
          <SpaceBetween size="l">
            {modes.length > 1 && (
              <SegmentedControl
                label={t("try.mode")}
                selectedId={mode}
                onChange={({ detail }) => setMode(detail.selectedId as Mode)}
                options={modes.map((id) => ({ id, text: t(`try.as.${id}`) }))}
              />
            )}
            {inputs[mode]}
            {mode !== "tensors" && (
              <Checkbox checked={explain} onChange={({ detail }) => setExplain(detail.checked)}>
                {t("try.explain")}
              </Checkbox>
            )}
            <Button variant="primary" loading={asking.isPending} disabled={mode === "image" && images.length === 0}>
              {t("try.ask")}
            </Button>
          </SpaceBetween>
        </Container>
      </form>
      <div aria-live="polite">
        <SpaceBetween size="m">
          {asking.isError && <ProblemAlert error={asking.error} />}
          {asking.data?.rows !== undefined && <Answer answer={asking.data.rows} milliseconds={asking.data.milliseconds} />}
          {asking.data?.tensors !== undefined && <Code>{JSON.stringify(asking.data.tensors, null, 2)}</Code>}
          {asking.isIdle && <Empty title={t("try.unasked")} hint={t("try.unaskedHint")} />}
        </SpaceBetween>
      </div>
    </Grid>
  );
}

function modesOf(signature: Signature): Mode[] {
  if (signature.kind === "images") return ["image", "tensors"];
  return takesRows(signature) ? ["form", "rows", "tensors"] : ["tensors"];
}

function parse(text: string, fault: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${fault} ${error instanceof Error ? error.message : ""}`);
  }
}
