/** What became true: where it is written, and how the answers did beside it. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../api/client";
import { useNotices } from "../../app/notices";
import { useSession } from "../../app/session";
import { Loaded } from "../../components/Loaded";
import { ProblemAlert } from "../../components/ProblemAlert";
import { watchQuery } from "./Alarms";
import type { Endpoint } from "./endpoint";
import { Performance } from "./Performance";
import { Window } from "./Window";

export function Truth({ endpoint }: { endpoint: Endpoint }) {
  const watch = useQuery(watchQuery(endpoint.name));
  const [minutes, setMinutes] = useState("10080");
  return (
    <Loaded query={watch}>
      {(found) => (
        <SpaceBetween size="l">
          <Source endpoint={endpoint} truth={found.truth ?? null} />
          {found.truth != null && (
            <SpaceBetween size="l">
              <Window minutes={minutes} onChange={setMinutes} />
              <Measured endpoint={endpoint} minutes={minutes} />
            </SpaceBetween>
          )}
        </SpaceBetween>
      )}
    </Loaded>
  );
}

function Measured({ endpoint, minutes }: { endpoint: Endpoint; minutes: string }) {
  const query = useQuery({
    queryKey: ["endpoints", endpoint.name, "performance", minutes],
    queryFn: () =>
      dataOf(api.GET("/v1/endpoints/{endpoint}/performance", { params: { path: { endpoint: endpoint.name }, query: { minutes: Number(minutes) } } })),
    refetchInterval: 30_000,
    placeholderData: (before) => before,
  });
  return <Loaded query={query}>{(found) => <Performance performance={found} />}</Loaded>;
}

function Source({ endpoint, truth }: { endpoint: Endpoint; truth: Schemas["TruthSource"] | null }) {
  const { t } = useTranslation("inference");
  const { may } = useSession();
  const notices = useNotices();
  const queries = useQueryClient();
  const [dataset, setDataset] = useState(truth?.dataset ?? "");
  const [key, setKey] = useState(truth?.key ?? endpoint.settings?.capture?.keys?.[0] ?? "");
  const [column, setColumn] = useState(truth?.column ?? "");
  const saving = useMutation({
    mutationFn: () =>
      api.PUT("/v1/endpoints/{endpoint}/truth", {
        params: { path: { endpoint: endpoint.name } },
        body: { dataset, key, column: column === "" ? null : column },
      }),
    onSuccess: async () => {
      notices.success(t("truth.saved"));
      await queries.invalidateQueries({ queryKey: ["endpoints", endpoint.name] });
    },
  });
  const disabled = !may("developer");
  return (
    <form onSubmit={(event) => (event.preventDefault(), saving.mutate())}>
      <Container header={<Header variant="h2" description={t("truth.hint")}>{t("truth.title")}</Header>}>
        <SpaceBetween size="m">
          {endpoint.settings?.capture?.percent === 0 && <Alert type="info">{t("truth.noCapture")}</Alert>}
          <ColumnLayout columns={3}>
            <FormField label={t("truth.dataset")}>
              <Input value={dataset} onChange={({ detail }) => setDataset(detail.value)} disabled={disabled} />
            </FormField>
            <FormField label={t("truth.key")} description={t("truth.keyHint")}>
              <Input value={key} onChange={({ detail }) => setKey(detail.value)} disabled={disabled} />
            </FormField>
            <FormField label={t("truth.column")} description={t("truth.columnHint", { target: endpoint.signature?.target ?? "" })}>
              <Input value={column} onChange={({ detail }) => setColumn(detail.value)} disabled={disabled} />
            </FormField>
          </ColumnLayout>
          {saving.isError && <ProblemAlert error={saving.error} />}
          {!disabled && (
            <Button loading={saving.isPending} disabled={dataset === "" || key === ""}>
              {t("save", { ns: "common" })}
            </Button>
          )}
        </SpaceBetween>
      </Container>
    </form>
  );
}
