/** What came of a job: the table of what it tried, and the report of the model that it made. */

import Box from "@cloudscape-design/components/box";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useTranslation } from "react-i18next";

import type { Schemas } from "../../../api/client";
import { Link } from "../../../app/links";
import { Loaded } from "../../../components/Loaded";
import { Report } from "../../../components/report/Report";
import { isMoving } from "../../../components/Status";
import { type Job, pathOfModel, refOf } from "../jobs";
import { CompressionResult } from "./CompressionResult";
import { DecompositionResult } from "./DecompositionResult";
import { FusionResult } from "./FusionResult";
import { PreparationResult } from "./PreparationResult";
import { useResult } from "./results";

export function JobResult({ job }: { job: Job }) {
  const { t } = useTranslation("training");
  return (
    <SpaceBetween size="l">
      {isMoving(job.status) && <Box color="text-body-secondary">{t("result.waiting")}</Box>}
      {job.study_id != null && (
        <Box>
          {t("result.ofStudy")} <Link to={`/training/studies/${job.study_id}`}>{t("study.title")}</Link>
        </Box>
      )}
      {job.kind === "compress" && <CompressionResult job={job} />}
      {job.kind === "fuse" && <FusionResult job={job} />}
      {job.kind === "decompose" && <DecompositionResult job={job} />}
      {job.kind === "prepare" && <PreparationResult job={job} />}
      {!isMoving(job.status) && <ModelReport job={job} />}
    </SpaceBetween>
  );
}

function ModelReport({ job }: { job: Job }) {
  const { t } = useTranslation("training");
  const report = useResult<Schemas["ModelReport"]>(job, "model/report.json");
  const card = useResult<Schemas["Card"]>(job, "model/card.json");
  return (
    <Loaded query={card}>
      {(found) =>
        found === null ? (
          <Box color="text-body-secondary">{t(job.status === "SUCCEEDED" ? "result.noModel" : "result.none")}</Box>
        ) : (
          <SpaceBetween size="m">
            {job.model_version != null && (
              <Box variant="h2">
                {t("job.made")}: <Link fontSize="inherit" to={pathOfModel(job.model_version)}>{refOf(job.model_version)}</Link>
              </Box>
            )}
            <Loaded query={report}>{(data) => <Report report={data} card={found} />}</Loaded>
          </SpaceBetween>
        )
      }
    </Loaded>
  );
}
