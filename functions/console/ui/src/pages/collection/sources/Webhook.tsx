/** Where others send the records of a source; the secret that signs them is shown once. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, API_ROOT, dataOf } from "../../../api/client";
import { Code } from "../../../components/Code";
import { ProblemAlert } from "../../../components/ProblemAlert";
import type { Source } from "./source";

export function Webhook({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const making = useMutation({ mutationFn: () => dataOf(api.POST("/v1/sources/{source}/webhook", { params: { path: { source: source.id } } })) });
  return (
    <SpaceBetween size="m">
      <Header
        variant="h2"
        description={t("webhook.hint")}
        actions={
          <Button variant="primary" loading={making.isPending} onClick={() => making.mutate()}>
            {t("webhook.make")}
          </Button>
        }
      >
        {t("sourceTab.webhook")}
      </Header>
      {making.isError && <ProblemAlert error={making.error} />}
      {making.data !== undefined && (
        <>
          <Alert type="warning">{t("webhook.once")}</Alert>
          <FormField label={t("webhook.address")}>
            <Code>{API_ROOT + making.data.path}</Code>
          </FormField>
          <FormField label={t("webhook.secret")}>
            <Code>{making.data.secret}</Code>
          </FormField>
        </>
      )}
    </SpaceBetween>
  );
}
