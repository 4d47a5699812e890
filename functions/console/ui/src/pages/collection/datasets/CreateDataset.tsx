/** Makes a dataset without data. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../../api/client";
import { useGo } from "../../../app/links";
import { ProblemAlert } from "../../../components/ProblemAlert";
import { isName } from "../names";

export function CreateDataset({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("collection");
  const go = useGo();
  const queries = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [target, setTarget] = useState("");
  const creating = useMutation({
    mutationFn: () =>
      dataOf(
        api.POST("/v1/datasets", {
          params: { header: { "Idempotency-Key": key } },
          body: { name, description, target: target || null } as Schemas["DatasetCreate"],
        }),
      ),
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["datasets"] });
      go(`/collection/datasets/${made.name}`);
    },
  });
  return (
    <Modal
      visible
      header={t("datasets.create")}
      onDismiss={onClose}
      closeAriaLabel={t("common:cancel")}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            <Button onClick={onClose}>{t("common:cancel")}</Button>
            <Button variant="primary" disabled={!isName(name)} loading={creating.isPending} onClick={() => creating.mutate()}>
              {t("common:create")}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <FormField label={t("name")} constraintText={t("nameRule")} errorText={name !== "" && !isName(name) ? t("nameRule") : undefined}>
          <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
        </FormField>
        <FormField label={t("description")}>
          <Input value={description} onChange={({ detail }) => setDescription(detail.value)} />
        </FormField>
        <FormField label={t("target")} description={t("targetHint")}>
          <Input value={target} onChange={({ detail }) => setTarget(detail.value)} />
        </FormField>
        {creating.isError && <ProblemAlert error={creating.error} />}
      </SpaceBetween>
    </Modal>
  );
}
