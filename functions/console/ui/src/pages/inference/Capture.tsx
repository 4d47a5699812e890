/** Requests that were kept, as a dataset. What is kept is one of the live settings. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey } from "../../api/client";
import { Link } from "../../app/links";
import { useSession } from "../../app/session";
import { ProblemAlert } from "../../components/ProblemAlert";
import { formatNumber } from "../../components/values";
import type { Endpoint } from "./endpoint";
import { Window } from "./Window";

export function Capture({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const capture = endpoint.settings?.capture;
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2" description={t("capture.hint")}>{t("capture.title")}</Header>}>
        <KeyValuePairs
          columns={3}
          items={[
            { label: t("setting.capture_percent"), value: capture?.percent ? `${formatNumber(capture.percent)} %` : t("capture.off") },
            { label: t("setting.capture_keys"), value: capture?.keys?.join(", ") || "–" },
            { label: t("setting.capture_hidden"), value: capture?.hidden?.join(", ") || "–" },
          ]}
        />
        <Link to={`/inference/endpoints/${endpoint.name}?tab=settings`}>{t("capture.change")}</Link>
      </Container>
      {may("developer") && <Export endpoint={endpoint} />}
    </SpaceBetween>
  );
}

function Export({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  const [dataset, setDataset] = useState(`${endpoint.name}-seen`);
  const [minutes, setMinutes] = useState("1440");
  const [key, setKey] = useState(newIdempotencyKey);
  const exporting = useMutation({
    mutationFn: () =>
      dataOf(
        api.POST("/v1/endpoints/{endpoint}/captures", {
          params: { path: { endpoint: endpoint.name }, header: { "Idempotency-Key": key } },
          body: { dataset, since: new Date(Date.now() - Number(minutes) * 60_000).toISOString() },
        }),
      ),
    onSettled: () => setKey(newIdempotencyKey()),
  });
  return (
    <form onSubmit={(event) => (event.preventDefault(), exporting.mutate())}>
      <Container header={<Header variant="h2" description={t("capture.exportHint")}>{t("capture.export")}</Header>}>
        <SpaceBetween size="m">
          <FormField label={t("truth.dataset")}>
            <Input value={dataset} onChange={({ detail }) => setDataset(detail.value)} />
          </FormField>
          <Window minutes={minutes} onChange={setMinutes} />
          {exporting.isError && <ProblemAlert error={exporting.error} />}
          {exporting.data !== undefined && (
            <Alert type="success">
              <Link to={`/collection/datasets/${dataset}`}>{t("capture.made", { dataset, version: exporting.data.number })}</Link>
            </Alert>
          )}
          <Button loading={exporting.isPending} disabled={dataset === ""}>
            {t("capture.export")}
          </Button>
        </SpaceBetween>
      </Container>
    </form>
  );
}
