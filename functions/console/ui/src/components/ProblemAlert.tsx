/** What went wrong while something was read: what, why, and the way on. */

import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import { useTranslation } from "react-i18next";

import { ApiProblem } from "../api/problem";

export function ProblemAlert({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation();
  const problem = error instanceof ApiProblem ? error : null;
  const header =
    problem === null
      ? t("problem.broken")
      : t([`problem.${problem.code}`, `problem.${problem.status}`, "problem.other"], { status: problem.status });
  return (
    <Alert
      type={problem?.status === 403 ? "warning" : "error"}
      header={header}
      action={onRetry === undefined ? undefined : <Button onClick={onRetry}>{t(problem?.status === 412 ? "problem.loadTheirs" : "retry")}</Button>}
    >
      {error instanceof Error ? error.message : String(error)}
      {problem !== null && problem.errors.length > 0 && (
        <ul>
          {problem.errors.map((each, index) => (
            <li key={index}>
              {each.location !== undefined && <code>{each.location}</code>} {each.message}
            </li>
          ))}
        </ul>
      )}
      {problem?.requestId != null && (
        <Box variant="small">
          {t("problem.request")} {problem.requestId}
        </Box>
      )}
    </Alert>
  );
}
