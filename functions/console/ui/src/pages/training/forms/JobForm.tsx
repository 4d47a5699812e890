/** What the forms of all kinds of jobs have in common: more options, compute, budget, an estimate, submission. */

import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Form from "@cloudscape-design/components/form";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { FormEvent, ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { ProblemAlert } from "../../../components/ProblemAlert";
import { SchemaForm } from "../../../components/SchemaForm";
import { BudgetFields, ComputeFields } from "./compute";
import { Estimate } from "./Estimate";
import { labelOf } from "./labels";
import { type JobRequest, schemaOf } from "./request";

interface Props {
  title: string;
  description: string;
  request: JobRequest;
  /** What has to be said. */
  children: ReactNode;
  isReady: boolean;
  /** What may be said: fields of this schema of the API. */
  schema: Parameters<typeof schemaOf>[0];
  options: readonly string[];
}

export function JobForm({ title, description, request, children, isReady, schema, options }: Props) {
  const { t } = useTranslation("training");
  const { submit, estimate } = request;
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (isReady && !submit.isPending) submit.mutate();
  };
  return (
    <ContentLayout
      maxContentWidth={1000}
      header={
        <Header variant="h1" description={description}>
          {title}
        </Header>
      }
    >
      <form onSubmit={send}>
        <Form
          actions={
            <SpaceBetween size="xs" direction="horizontal">
              <Button formAction="none" loading={estimate.isPending} disabled={!isReady} onClick={() => estimate.mutate()}>
                {t("form.estimate")}
              </Button>
              <Button variant="primary" formAction="submit" loading={submit.isPending} disabled={!isReady}>
                {t("form.submit")}
              </Button>
            </SpaceBetween>
          }
        >
          <SpaceBetween size="l">
            <Container>
              <SpaceBetween size="l">{children}</SpaceBetween>
            </Container>
            <Container header={<Header variant="h2">{t("form.budget")}</Header>}>
              <BudgetFields request={request} />
            </Container>
            <ExpandableSection variant="container" headerText={t("compute.title")}>
              <ComputeFields request={request} />
            </ExpandableSection>
            <Options request={request} schema={schema} options={options} />
            {estimate.data !== undefined && <Estimate estimate={estimate.data} />}
            {(submit.error ?? estimate.error) !== null && <ProblemAlert error={submit.error ?? estimate.error} />}
          </SpaceBetween>
        </Form>
      </form>
    </ContentLayout>
  );
}

export function Options({ request, schema, options }: Pick<Props, "request" | "schema" | "options">) {
  const { t } = useTranslation("training");
  return (
    <ExpandableSection variant="container" headerText={t("form.options")}>
      <SchemaForm schema={schemaOf(schema, options)} value={request.spec} onChange={request.replaceSpec} errors={request.errors} labelOf={labelOf(t)} />
    </ExpandableSection>
  );
}
