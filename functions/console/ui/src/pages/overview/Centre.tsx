/** One of the centres: whether all is well, and a few figures. */

import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Link } from "../../app/links";

interface Props {
  title: string;
  to: string;
  /** Null: not known. */
  numFaults: number | null;
  children: ReactNode;
}

export function Centre({ title, to, numFaults, children }: Props) {
  const { t } = useTranslation("overview");
  return (
    <Container
      fitHeight
      header={
        <Header
          variant="h2"
          description={
            numFaults === null ? <StatusIndicator type="pending">{t("unknown")}</StatusIndicator> : <StatusIndicator type={numFaults === 0 ? "success" : "warning"}>{numFaults === 0 ? t("well") : t("faults", { count: numFaults })}</StatusIndicator>
          }
        >
          <Link to={to} fontSize="heading-m">
            {title}
          </Link>
        </Header>
      }
    >
      {children}
    </Container>
  );
}

Centre.Figures = function Figures({ figures }: { figures: [string, ReactNode][] }) {
  return <KeyValuePairs columns={1} items={figures.map(([label, value]) => ({ label, value }))} />;
};
