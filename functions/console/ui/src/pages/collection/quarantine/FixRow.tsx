/** A form over the cells of one row. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { cellText } from "../../../components/cells";
import { cellsOf, type Values, valuesOf, wrongFor } from "./fixing";

interface Props {
  item: Schemas["QuarantineItem"];
  columns: readonly Schemas["Column"][];
  /** As they were put right before. */
  values: Values | undefined;
  /** Null takes a correction back. */
  onFixed: (values: Values | null) => void;
  onClose: () => void;
}

export function FixRow({ item, columns, values, onFixed, onClose }: Props) {
  const { t } = useTranslation("collection");
  const [cells, setCells] = useState<Record<string, string>>(() =>
    values === undefined ? cellsOf(item, columns) : Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)])),
  );
  const wrong = columns.filter(({ name, type }) => wrongFor(cells[name] ?? "", type) !== null);
  return (
    <Modal
      visible
      header={t("quarantine.fixRow", { position: item.position })}
      onDismiss={onClose}
      closeAriaLabel={t("common:cancel")}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            {values !== undefined && <Button onClick={() => onFixed(null)}>{t("quarantine.takeBack")}</Button>}
            <Button onClick={onClose}>{t("common:cancel")}</Button>
            <Button variant="primary" disabled={wrong.length > 0 || columns.length === 0} onClick={() => onFixed(valuesOf(cells, columns))}>
              {t("quarantine.mark")}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <Alert type="warning">
          {item.column != null && <strong>{cellText(item.column)}: </strong>}
          {cellText(item.reason)}
          {item.text != null && <Box variant="code" display="block">{cellText(item.text)}</Box>}
        </Alert>
        {columns.map(({ name, type }) => {
          const fault = wrongFor(cells[name] ?? "", type);
          return (
            <FormField key={name} label={cellText(name)} constraintText={t(`type.${type}`, type)} errorText={fault === null ? undefined : t("quarantine.wrong", { type: t(`type.${fault}`) })}>
              <Input
                value={cells[name] ?? ""}
                invalid={fault !== null || name === item.column}
                onChange={({ detail }) => setCells((present) => ({ ...present, [name]: detail.value }))}
              />
            </FormField>
          );
        })}
      </SpaceBetween>
    </Modal>
  );
}
