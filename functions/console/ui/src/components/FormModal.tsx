/** A form in a window of its own: it closes itself once what it asks for is done, and stays with what went wrong. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";

import { ProblemAlert } from "./ProblemAlert";

interface Props {
  title: string;
  /** The word on the button. */
  verb: string;
  children: ReactNode;
  disabled?: boolean;
  size?: "medium" | "large";
  onSubmit: () => Promise<unknown>;
  onClose: () => void;
}

export function FormModal({ title, verb, children, disabled, size, onSubmit, onClose }: Props) {
  const { t } = useTranslation();
  const form = useId();
  const sending = useMutation({ mutationFn: onSubmit, onSuccess: onClose });
  return (
    <Modal
      visible
      size={size}
      header={title}
      onDismiss={onClose}
      closeAriaLabel={t("cancel")}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            <Button onClick={onClose}>{t("cancel")}</Button>
            <Button variant="primary" form={form} loading={sending.isPending} disabled={disabled}>
              {verb}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <form
        id={form}
        onSubmit={(event) => {
          event.preventDefault();
          if (!disabled && !sending.isPending) sending.mutate();
        }}
      >
        <SpaceBetween size="m">
          {children}
          {sending.isError && <ProblemAlert error={sending.error} />}
        </SpaceBetween>
      </form>
    </Modal>
  );
}
