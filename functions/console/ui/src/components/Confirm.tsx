/** Asks before something is done that cannot be taken back. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { ProblemAlert } from "./ProblemAlert";

interface Props {
  title: string;
  children: ReactNode;
  /** The word on the button. */
  verb: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
  /** Instead of closing, where there is another step. */
  onDone?: () => void;
}

/** Shown while it is mounted; closes itself once what was asked for is done. */
export function Confirm({ title, children, verb, onConfirm, onClose, onDone = onClose }: Props) {
  const { t } = useTranslation();
  const doing = useMutation({ mutationFn: onConfirm, onSuccess: onDone });
  return (
    <Modal
      visible
      header={title}
      onDismiss={onClose}
      closeAriaLabel={t("cancel")}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            <Button onClick={onClose}>{t("cancel")}</Button>
            <Button variant="primary" loading={doing.isPending} onClick={() => doing.mutate()}>
              {verb}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        {children}
        {doing.isError && <ProblemAlert error={doing.error} />}
      </SpaceBetween>
    </Modal>
  );
}
