/** Why something was not saved; where somebody else was quicker, what they saved can be loaded. */

import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import { useTranslation } from "react-i18next";

import { ApiProblem } from "../../api/problem";
import { useNotices } from "../../app/notices";
import { ProblemAlert } from "../../components/ProblemAlert";

export function SaveProblem({ error, onLoadTheirs }: { error: unknown; onLoadTheirs: () => Promise<void> }) {
  const { t } = useTranslation("collection");
  const notices = useNotices();
  if (!(error instanceof ApiProblem) || error.status !== 412) return <ProblemAlert error={error} />;
  return (
    <Alert type="warning" header={t("common:problem.conflict")} action={<Button onClick={() => void onLoadTheirs().catch(notices.failure)}>{t("loadTheirs")}</Button>}>
      {t("conflictHint")}
    </Alert>
  );
}
