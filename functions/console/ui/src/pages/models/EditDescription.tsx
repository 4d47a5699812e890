/** The description of a model, changed from the revision that the form was filled from. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, ifMatch, type Schemas } from "../../api/client";
import { ApiProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/ProblemAlert";

export function EditDescription({ model, onClose }: { model: Schemas["Model"]; onClose: () => void }) {
  const { t } = useTranslation(["models", "common"]);
  const queries = useQueryClient();
  // NOTE: as it was when the form was opened; what is read meanwhile does not come in between.
  const [from, setFrom] = useState(model);
  const [text, setText] = useState(model.description);
  const save = useMutation({
    mutationFn: () =>
      dataOf(api.PATCH("/v1/models/{model}", { params: { path: { model: from.id }, header: ifMatch(from.revision) }, body: { description: text } })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["model"] });
      onClose();
    },
  });
  const theirs = useMutation({
    mutationFn: () => dataOf(api.GET("/v1/models/{model}", { params: { path: { model: from.id } } })),
    onSuccess: (found) => {
      setFrom(found);
      setText(found.description);
      save.reset();
    },
  });
  const isConflict = save.error instanceof ApiProblem && save.error.status === 412;
  return (
    <Modal
      visible
      header={t("edit.title")}
      onDismiss={onClose}
      closeAriaLabel={t("cancel", { ns: "common" })}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            <Button onClick={onClose}>{t("cancel", { ns: "common" })}</Button>
            <Button variant="primary" loading={save.isPending} onClick={() => save.mutate()}>
              {t("save", { ns: "common" })}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <FormField label={t("description")}>
          <Textarea value={text} onChange={({ detail }) => setText(detail.value)} rows={4} />
        </FormField>
        {isConflict && (
          <Alert
            type="warning"
            header={t("problem.conflict", { ns: "common" })}
            action={
              <Button loading={theirs.isPending} onClick={() => theirs.mutate()}>
                {t("edit.theirs")}
              </Button>
            }
          >
            {t("edit.conflict")}
          </Alert>
        )}
        {save.isError && !isConflict && <ProblemAlert error={save.error} />}
      </SpaceBetween>
    </Modal>
  );
}
