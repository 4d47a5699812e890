/** A secret that the API tells once: to be copied now. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Box from "@cloudscape-design/components/box";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Code } from "./Code";

export function ShownOnce({ title, secret, children, onClose }: { title: string; secret: string; children?: ReactNode; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Modal
      visible
      header={title}
      onDismiss={onClose}
      closeAriaLabel={t("close")}
      footer={
        <Box float="right">
          <Button variant="primary" onClick={onClose}>
            {t("close")}
          </Button>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <Alert type="warning">{t("shownOnce")}</Alert>
        <Code>{secret}</Code>
        {children}
      </SpaceBetween>
    </Modal>
  );
}
