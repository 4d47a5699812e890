/** How programs ask the endpoint. */

import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import { useTranslation } from "react-i18next";

import { API_ROOT } from "../../api/client";
import { Code } from "../../components/Code";
import { Empty } from "../../components/Empty";
import type { Endpoint } from "./endpoint";
import { samplesOf } from "./samples";

const NAMES = { curl: "curl", python: "Python", javascript: "JavaScript" };

export function Samples({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation("inference");
  const samples = samplesOf(endpoint);
  if (samples.length === 0) return <Empty title={t("try.nothing")} hint={t("try.nothingHint")} />;
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2" description={t("code.hint")}>{t("code.title")}</Header>}>
        <Tabs ariaLabel={t("code.title")} tabs={samples.map(({ id, text }) => ({ id, label: NAMES[id], content: <Code>{text}</Code> }))} />
      </Container>
      <Container header={<Header variant="h2">{t("code.addresses")}</Header>}>
        <SpaceBetween size="m">
          <div>
            <Box variant="awsui-key-label">{t("code.rows")}</Box>
            <Code>{`POST ${API_ROOT}${endpoint.predict_path}`}</Code>
          </div>
          <div>
            <Box variant="awsui-key-label">{t("code.protocol")}</Box>
            <Code>{`POST ${API_ROOT}${endpoint.infer_path}`}</Code>
          </div>
        </SpaceBetween>
      </Container>
    </SpaceBetween>
  );
}
