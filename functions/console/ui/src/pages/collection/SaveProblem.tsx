/** Why something was not saved; where somebody else was quicker, what they saved can be loaded. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import { useTranslation } from "react-i18next";

import { ApiProblem } from "../../api/problem";
import { ProblemAlert } from "../../components/ProblemAlert";

export function SaveProblem({ error, onLoadTheirs }: { error: unknown; onLoadTheirs: () => void }) {
  const { t } = useTranslation("collection");
  if (!(error instanceof ApiProblem) || error.status !== 412) return <ProblemAlert error={error} />;
  return (
    <Alert type="warning" header={t("common:problem.conflict")} action={<Button onClick={onLoadTheirs}>{t("loadTheirs")}</Button>}>
      {t("conflictHint")}
    </Alert>
  );
}
