/** A job at a glance: progress, time left, cost, metrics, what it worked on and what it said. */

import Box from "@cloudscape-design/components/box";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs, { type KeyValuePairsProps } from "@cloudscape-design/components/key-value-pairs";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useTranslation } from "react-i18next";

import { Link } from "../../../app/links";
import { Code } from "../../../components/Code";
import { isMoving } from "../../../components/Status";
import { formatNumber, formatSeconds, Time } from "../../../components/values";
import { type Job, pathOfModel, refOf, secondsLeft, secondsOf } from "../jobs";
import { CostOf } from "./CostOf";
import { messagesOf } from "./curves";
import { type Story, useNow } from "./following";

export function JobSummary({ story }: { story: Story }) {
  const { t } = useTranslation("training");
  const { job, events } = story;
  const now = useNow(isMoving(job.status));
  const metrics = Object.entries(job.metrics).filter(([name, value]) => job.metrics[name.replace("validation/", "")] !== value || !name.startsWith("validation/"));
  const messages = messagesOf(events);
  return (
    <SpaceBetween size="l">
      {isMoving(job.status) && <Progress job={job} now={now} />}
      <Container header={<Header variant="h2">{t("job.summary")}</Header>}>
        <KeyValuePairs columns={4} items={useFacts(job, now)} />
      </Container>
      <ColumnLayout columns={2}>
        <Container header={<Header variant="h2">{t("metrics")}</Header>} fitHeight>
          {metrics.length === 0 ? (
            <Box color="text-body-secondary">{t("job.noMetrics")}</Box>
          ) : (
            <KeyValuePairs columns={3} items={metrics.map(([name, value]) => ({ label: name, value: formatNumber(value, 5) }))} />
          )}
        </Container>
        <Container header={<Header variant="h2">{t("job.said")}</Header>} fitHeight>
          {messages.length === 0 ? (
            <Box color="text-body-secondary">{t("job.saidNothing")}</Box>
          ) : (
            <ul className="story" aria-label={t("job.said")} tabIndex={0}>
              {messages.map((message, index) => (
                <li key={index}>
                  <Box variant="small">
                    <Time at={message.at} />
                  </Box>{" "}
                  {message.text}
                </li>
              ))}
            </ul>
          )}
        </Container>
      </ColumnLayout>
      {job.failure?.traceback != null && (
        <ExpandableSection headerText={t("job.traceback")} variant="container">
          <Code>{job.failure.traceback}</Code>
        </ExpandableSection>
      )}
      <ExpandableSection headerText="TensorBoard" variant="container">
        <SpaceBetween size="s">
          <Box>{t("job.tensorboard")}</Box>
          <Code>{`aimass tensorboard ${job.id}`}</Code>
        </SpaceBetween>
      </ExpandableSection>
    </SpaceBetween>
  );
}

function Progress({ job, now }: { job: Job; now: number }) {
  const { t } = useTranslation("training");
  const { progress } = job;
  const left = secondsLeft(job, now);
  const steps = progress?.step == null ? null : progress.num_steps == null ? formatNumber(progress.step) : `${formatNumber(progress.step)} / ${formatNumber(progress.num_steps)}`;
  const words = [progress?.phase, steps, progress?.message].filter(Boolean).join(" · ");
  return (
    <Container>
      <ProgressBar
        value={Math.round((progress?.fraction ?? 0) * 100)}
        label={t("progress")}
        description={words || t("job.waiting")}
        additionalInfo={left === null ? undefined : t(progress?.fraction ? "job.left" : "job.leftAtMost", { time: formatSeconds(Math.round(left)) })}
      />
    </Container>
  );
}

function useFacts(job: Job, now: number): KeyValuePairsProps.Item[] {
  const { t } = useTranslation("training");
  const { compute } = job;
  const items: KeyValuePairsProps.Item[] = [
    { label: t("job.id"), value: job.id },
    { label: t("created"), value: <Time at={job.created_at} /> },
    { label: t("job.started"), value: <Time at={job.started_at} /> },
    { label: t("job.ended"), value: <Time at={job.ended_at} /> },
    { label: t("job.took"), value: formatSeconds(roundedSeconds(job, now)) },
    { label: t("job.limit"), value: formatSeconds(job.max_seconds) },
    { label: t("cost"), value: <CostOf job={job} now={now} /> },
    { label: t("by"), value: job.created_by },
    { label: t("compute.title"), value: [compute.backend, compute.instance_type, compute.vcpus && `${compute.vcpus} vCPU`, compute.memory_mib && `${compute.memory_mib} MiB`].filter(Boolean).join(", ") },
    { label: t("job.attempt"), value: String(job.attempt) },
  ];
  for (const [channel, pin] of Object.entries(job.channels)) {
    const version = `${pin.dataset_name}@${pin.number}`;
    items.push({ label: t("job.channel", { channel }), value: <Link to={`/collection/datasets/${pin.dataset_name}`}>{version}</Link> });
  }
  for (const [name, model] of Object.entries(job.models)) items.push({ label: name, value: <Link to={pathOfModel(model)}>{refOf(model)}</Link> });
  if (job.model_version != null) items.push({ label: t("job.made"), value: <Link to={pathOfModel(job.model_version)}>{refOf(job.model_version)}</Link> });
  if (job.study_id != null) items.push({ label: t("study.title"), value: <Link to={`/training/studies/${job.study_id}`}>{job.study_id}</Link> });
  return items;
}

function roundedSeconds(job: Job, now: number): number | null {
  const seconds = secondsOf(job, now);
  return seconds === null ? null : isMoving(job.status) ? Math.round(seconds) : seconds;
}
