/** Secrets of a source: set and taken away, never shown. */

import Button from "@cloudscape-design/components/button";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";
import { useNotices } from "../../../app/notices";
import { Confirm } from "../../../components/Confirm";
import { Empty } from "../../../components/Empty";
import { ProblemAlert } from "../../../components/ProblemAlert";
import type { Source } from "./source";

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

export function Secrets({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const [leaving, setLeaving] = useState<string | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["sources"] });
  const setting = useMutation({
    mutationFn: () => dataOf(api.PUT("/v1/sources/{source}/secrets/{secret}", { params: { path: { source: source.id, secret: name } }, body: { value } })),
    onSuccess: async () => {
      notices.success(t("secrets.set", { name }));
      setName("");
      setValue("");
      await refresh();
    },
  });
  const isWrong = name !== "" && !NAME.test(name);
  return (
    <SpaceBetween size="l">
      <Table
        variant="borderless"
        header={<Header variant="h2" description={t("secrets.hint")}>{t("sourceTab.secrets")}</Header>}
        items={(source.secrets ?? []).map((each) => ({ name: each }))}
        trackBy="name"
        ariaLabels={{ tableLabel: t("sourceTab.secrets") }}
        empty={<Empty title={t("secrets.none")} />}
        columnDefinitions={[
          { id: "name", header: t("name"), cell: (each) => each.name, isRowHeader: true },
          { id: "value", header: t("secrets.value"), cell: () => "••••••••" },
          {
            id: "actions",
            header: t("actions"),
            cell: (each) => (
              <Button variant="inline-link" ariaLabel={`${t("common:delete")} ${each.name}`} onClick={() => setLeaving(each.name)}>
                {t("common:delete")}
              </Button>
            ),
          },
        ]}
      />
      <form
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          setting.mutate();
        }}
      >
        <SpaceBetween size="m">
          {setting.isError && <ProblemAlert error={setting.error} />}
          <ColumnLayout columns={2}>
            <FormField label={t("name")} errorText={isWrong ? t("secrets.nameRule") : undefined}>
              <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
            </FormField>
            <FormField label={t("secrets.value")}>
              <Input type="password" value={value} onChange={({ detail }) => setValue(detail.value)} autoComplete={false} />
            </FormField>
          </ColumnLayout>
          <Button variant="primary" loading={setting.isPending} disabled={!NAME.test(name) || value === ""}>
            {t("secrets.store")}
          </Button>
        </SpaceBetween>
      </form>
      {leaving !== null && (
        <Confirm
          title={t("secrets.delete", { name: leaving })}
          verb={t("common:delete")}
          onClose={() => setLeaving(null)}
          onConfirm={async () => {
            await api.DELETE("/v1/sources/{source}/secrets/{secret}", { params: { path: { source: source.id, secret: leaving } } });
            await refresh();
          }}
        >
          {t("secrets.deleteHint")}
        </Confirm>
      )}
    </SpaceBetween>
  );
}
