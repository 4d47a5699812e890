/** Several jobs beside each other: their curves in the same pictures, and a table of what differs. */

import Box from "@cloudscape-design/components/box";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import Multiselect from "@cloudscape-design/components/multiselect";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { api, dataOf } from "../../api/client";
import { Link } from "../../app/links";
import { DifferenceTable } from "../../components/DifferenceTable";
import { ProblemAlert } from "../../components/ProblemAlert";
import { differencesOf } from "./comparison";
import { type Curve, curvesOf } from "./job/curves";
import { Curves } from "./job/Curves";
import { type Story, useStories } from "./job/following";
import { whatOf } from "./jobs";

export function ComparePage() {
  const { t } = useTranslation("training");
  const [search, setSearch] = useSearchParams();
  const ids = [...new Set(search.getAll("job"))];
  const queries = useStories(ids);
  const stories = queries.flatMap((query) => query.data ?? []);
  const failed = queries.find((query) => query.isError);
  const jobs = useQuery({ queryKey: ["jobs", "suggested"], queryFn: () => dataOf(api.GET("/v1/jobs", { params: { query: { limit: 100 } } })) });
  const known = [...stories.map((story) => story.job), ...(jobs.data?.items ?? [])];
  const options = [...new Map(known.map((job) => [job.id, { value: job.id, label: `${t(`kinds.${job.kind}`)}: ${whatOf(job)}`, description: job.id, tags: job.model_version ? [`${job.model_version.model_name}@${job.model_version.number}`] : [] }])).values()];
  return (
    <ContentLayout header={<Header variant="h1">{t("compare.title")}</Header>}>
      <SpaceBetween size="l">
        <Multiselect
          ariaLabel={t("compare.choose")}
          placeholder={t("compare.choose")}
          options={options}
          selectedOptions={options.filter((each) => ids.includes(each.value))}
          filteringType="auto"
          onChange={({ detail }) => setSearch(detail.selectedOptions.map((each): [string, string] => ["job", each.value ?? ""]))}
        />
        {failed !== undefined && <ProblemAlert error={failed.error} onRetry={() => void failed.refetch()} />}
        {ids.length < 2 ? <Box color="text-body-secondary">{t("compare.empty")}</Box> : stories.length < ids.length ? failed === undefined && <Spinner /> : <Compared stories={stories} />}
      </SpaceBetween>
    </ContentLayout>
  );
}

function Compared({ stories }: { stories: readonly Story[] }) {
  const { t } = useTranslation("training");
  const labels = stories.map((story, index) => labelOf(story, index));
  const groups = new Map<string, Curve[]>();
  stories.forEach((story, index) => {
    for (const { metric, curves } of curvesOf(story.events)) {
      const named = curves.map((curve) => ({ ...curve, name: `${curve.name} · ${labels[index]}` }));
      groups.set(metric, [...(groups.get(metric) ?? []), ...named]);
    }
  });
  return (
    <SpaceBetween size="l">
      <DifferenceTable
        differences={differencesOf(stories.map((story) => story.job))}
        columns={stories.map((story, index) => ({ id: story.job.id, header: <Link to={`/training/jobs/${story.job.id}`}>{labels[index]}</Link> }))}
      />
      <Header variant="h2">{t("compare.curves")}</Header>
      <Curves groups={[...groups].map(([metric, each]) => ({ metric, curves: each }))} empty={t("curves.empty")} />
    </SpaceBetween>
  );
}

function labelOf(story: Story, index: number): string {
  const { job } = story;
  return `${index + 1}: ${job.model_version ? `${job.model_version.model_name}@${job.model_version.number}` : whatOf(job)}`;
}
