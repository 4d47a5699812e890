/** Something that is read from the API: shown as soon as it is there, also while it is read again or cannot be. */

import Box from "@cloudscape-design/components/box";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { ProblemAlert } from "./ProblemAlert";

export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  const { t } = useTranslation();
  if (query.isPending) {
    return (
      <Box padding="l" textAlign="center">
        <Spinner /> <span className="unseen">{t("loading")}</span>
      </Box>
    );
  }
  const alert = query.isError && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />;
  if (query.data === undefined) return alert;
  return (
    <SpaceBetween size="m">
      {alert}
      {children(query.data)}
    </SpaceBetween>
  );
}
