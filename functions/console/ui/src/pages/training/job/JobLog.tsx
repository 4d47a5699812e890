/** The log of a job, growing at its end. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Toggle from "@cloudscape-design/components/toggle";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { ProblemAlert } from "../../../components/ProblemAlert";
import { saveText } from "../../../components/saving";
import type { Job } from "../jobs";
import { useLog } from "./following";

/** So many of the newest lines are shown; all of them can be saved. */
const MAX_SHOWN = 3_000;

export function JobLog({ job }: { job: Job }) {
  const { t } = useTranslation("training");
  const log = useLog(job, true);
  const [text, setText] = useState("");
  const [isFollowing, setFollowing] = useState(true);
  const place = useRef<HTMLPreElement>(null);
  const all = log.data?.lines ?? [];
  const wanted = text.toLowerCase();
  const found = text === "" ? all : all.filter((line) => line.message.toLowerCase().includes(wanted));
  const shown = found.slice(-MAX_SHOWN);
  const written = shown.map((line) => `${timeOf(line.at)} ${line.message}`).join("\n");

  useEffect(() => {
    const element = place.current;
    if (isFollowing && element !== null) element.scrollTop = element.scrollHeight;
  }, [written, isFollowing]);

  const save = () => saveText(`${job.id}.log`, all.map((line) => `${line.at} ${line.message}`).join("\n"));
  return (
    <Container
      header={
        <Header
          variant="h2"
          counter={`(${all.length})`}
          description={found.length > MAX_SHOWN ? t("log.shortened", { count: MAX_SHOWN }) : undefined}
          actions={
            <SpaceBetween size="s" direction="horizontal" alignItems="center">
              <Toggle checked={isFollowing} onChange={({ detail }) => setFollowing(detail.checked)}>
                {t("log.follow")}
              </Toggle>
              <Button iconName="download" disabled={all.length === 0} onClick={save}>
                {t("log.save")}
              </Button>
            </SpaceBetween>
          }
        >
          {t("log.title")}
        </Header>
      }
    >
      <SpaceBetween size="s">
        <Input type="search" value={text} onChange={({ detail }) => setText(detail.value)} placeholder={t("log.find")} ariaLabel={t("log.find")} />
        {log.isError && <ProblemAlert error={log.error} onRetry={() => void log.refetch()} />}
        {all.length === 0 ? (
          <Box color="text-body-secondary">{t("log.empty")}</Box>
        ) : (
          <div className="code">
            <pre ref={place} tabIndex={0} role="log" aria-label={t("log.title")} style={{ height: 480 }}>
              {written}
            </pre>
          </div>
        )}
      </SpaceBetween>
    </Container>
  );
}

function timeOf(at: string): string {
  return new Date(at).toLocaleTimeString("en-GB");
}
