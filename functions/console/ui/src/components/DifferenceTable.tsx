/** What differs, a column for each thing that is compared. */

import Box from "@cloudscape-design/components/box";
import Header from "@cloudscape-design/components/header";
import Table from "@cloudscape-design/components/table";
import Toggle from "@cloudscape-design/components/toggle";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Difference } from "./differences";
import { formatNumber } from "./values";

interface Props {
  differences: readonly Difference[];
  columns: readonly { id: string; header: ReactNode }[];
}

export function DifferenceTable({ differences, columns }: Props) {
  const { t } = useTranslation();
  const [isShort, setShort] = useState(true);
  return (
    <Table<Difference>
      variant="container"
      header={
        <Header
          variant="h2"
          actions={
            <Toggle checked={isShort} onChange={({ detail }) => setShort(detail.checked)}>
              {t("differences.only")}
            </Toggle>
          }
        >
          {t("differences.title")}
        </Header>
      }
      items={isShort ? differences.filter((each) => each.differs) : differences}
      trackBy="name"
      wrapLines
      empty={<Box>{t("differences.none")}</Box>}
      ariaLabels={{ tableLabel: t("differences.title") }}
      columnDefinitions={[
        { id: "name", header: t("differences.name"), cell: (each) => each.name, isRowHeader: true },
        ...columns.map((column, index) => ({ ...column, cell: (each: Difference) => tell(each.values[index]) })),
      ]}
    />
  );
}

function tell(value: unknown): string {
  if (value === undefined || value === null) return "–";
  return typeof value === "number" ? formatNumber(value, 5) : typeof value === "object" ? JSON.stringify(value) : String(value);
}
