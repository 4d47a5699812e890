/** The status of a job that moves a workspace, in the words of jobs. */

import { useTranslation } from "react-i18next";

import { Status } from "../../components/Status";

export function JobStatus({ status }: { status: string }) {
  const { t } = useTranslation("training");
  return <Status status={status}>{t(`statuses.${status}`)}</Status>;
}
