/** Whether the audit trail is as it was written: every seal is computed again. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../api/client";
import { Code } from "../../components/Code";
import { Loaded } from "../../components/Loaded";
import { formatNumber, Time } from "../../components/values";

export function AuditProof({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("management");
  const query = useQuery({ queryKey: ["audit", "proof"], queryFn: () => dataOf(api.GET("/v1/audit/proof")), staleTime: 0 });
  return (
    <Modal
      visible
      header={t("audit.verify")}
      onDismiss={onClose}
      closeAriaLabel={t("close", { ns: "common" })}
      footer={
        <Box float="right">
          <Button onClick={onClose}>{t("close", { ns: "common" })}</Button>
        </Box>
      }
    >
      <Loaded query={query}>
        {(proof) => (
          <SpaceBetween size="m">
            <Alert type={proof.is_intact ? "success" : "error"} header={t(proof.is_intact ? "audit.intact" : "audit.broken")}>
              {(proof.faults ?? []).length > 0 && <Code>{JSON.stringify(proof.faults, null, 2)}</Code>}
            </Alert>
            <KeyValuePairs
              columns={2}
              items={[
                { label: t("audit.seals"), value: formatNumber(proof.num_seals) },
                { label: t("audit.sealed"), value: formatNumber(proof.num_entries) },
                { label: t("audit.compared"), value: formatNumber(proof.num_verified) },
                { label: t("audit.unsealed"), value: formatNumber(proof.num_unsealed) },
                { label: t("audit.sealedUntil"), value: <Time at={proof.sealed_until} /> },
              ]}
            />
            {proof.head != null && (
              <div>
                <Box variant="awsui-key-label">{t("audit.head")}</Box>
                <Code>{proof.head}</Code>
              </div>
            )}
          </SpaceBetween>
        )}
      </Loaded>
    </Modal>
  );
}
