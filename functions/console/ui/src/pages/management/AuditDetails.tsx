/** One entry of the audit trail, in full: before and after, and from where. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../api/client";
import { Link } from "../../app/links";
import { useSession } from "../../app/session";
import { Code } from "../../components/Code";
import { Time } from "../../components/values";

export function AuditDetails({ entry, onClose }: { entry: Schemas["AuditEntry"]; onClose: () => void }) {
  const { t } = useTranslation("management");
  const { may } = useSession();
  const changes = Object.entries(entry.changes ?? {}).map(([name, change]) => ({ name, ...(change as { before?: unknown; after?: unknown }) }));
  const { origin } = entry;
  const hasDetails = Object.keys(entry.details ?? {}).length > 0;
  return (
    <Modal
      visible
      size="large"
      header={entry.action}
      onDismiss={onClose}
      closeAriaLabel={t("close", { ns: "common" })}
      footer={
        <Box float="right">
          <Button onClick={onClose}>{t("close", { ns: "common" })}</Button>
        </Box>
      }
    >
      <SpaceBetween size="l">
        <KeyValuePairs
          columns={3}
          items={[
            { label: t("at"), value: <Time at={entry.created_at} /> },
            { label: t("by"), value: entry.actor_name == null ? entry.created_by : `${entry.actor_name} (${entry.created_by})` },
            { label: t("audit.target"), value: `${entry.target_resource} ${entry.target_name ?? ""} ${entry.target_id}` },
            { label: t("audit.channel"), value: origin?.channel ?? "–" },
            { label: t("audit.address"), value: origin?.source_ip ?? "–" },
            { label: t("audit.client"), value: origin?.user_agent ?? "–" },
            {
              label: t("audit.request"),
              value: origin?.request_id == null ? "–" : may("developer") ? <Link to={`/management/logs?request_id=${encodeURIComponent(origin.request_id)}&since=all`}>{origin.request_id}</Link> : origin.request_id,
            },
          ]}
        />
        {changes.length > 0 && (
          <Table
            variant="embedded"
            items={changes}
            trackBy="name"
            wrapLines
            ariaLabels={{ tableLabel: t("changes.title") }}
            columnDefinitions={[
              { id: "name", header: t("changes.field"), cell: (each) => each.name, isRowHeader: true },
              { id: "before", header: t("changes.before"), cell: (each) => write(each.before) },
              { id: "after", header: t("changes.after"), cell: (each) => write(each.after) },
            ]}
          />
        )}
        {hasDetails && <Code>{JSON.stringify(entry.details, null, 2)}</Code>}
      </SpaceBetween>
    </Modal>
  );
}

function write(value: unknown): string {
  if (value === undefined || value === null) return "–";
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}
