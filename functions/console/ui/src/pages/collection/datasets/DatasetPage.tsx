/** One dataset: a version's profile and rows, and everything around it. */

import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tabs from "@cloudscape-design/components/tabs";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useParams, useSearchParams } from "react-router";

import type { Schemas } from "../../../api/client";
import { LinkButton, useGo } from "../../../app/links";
import { useSession } from "../../../app/session";
import { Empty } from "../../../components/Empty";
import { Loaded } from "../../../components/Loaded";
import { Status } from "../../../components/Status";
import { Quarantine } from "../quarantine/Quarantine";
import { RecipeTab } from "../recipes/RecipeTab";
import { useDataset, useVersions } from "./dataset";
import { Lineage } from "./Lineage";
import { Preview } from "./Preview";
import { Profile } from "./Profile";
import { Quality } from "./Quality";
import { DatasetSettings } from "./DatasetSettings";
import { Versions } from "./Versions";

type Dataset = Schemas["Dataset"];

export function DatasetPage() {
  const { dataset: name = "" } = useParams();
  const dataset = useDataset(name);
  return <Loaded query={dataset}>{(found) => <Found dataset={found} />}</Loaded>;
}

function Found({ dataset }: { dataset: Dataset }) {
  const { t } = useTranslation("collection");
  const go = useGo();
  const { may } = useSession();
  const [search, setSearch] = useSearchParams();
  const versions = useVersions(dataset.name);
  const listed = versions.data?.items ?? [];
  const number = Number(search.get("version")) || dataset.latest_version || dataset.last_number || null;
  const shown = listed.find((each) => each.number === number);
  const set = (key: string, value: string) =>
    setSearch(
      (present) => {
        present.set(key, value);
        return present;
      },
      // What was looked at before is a step back.
      { replace: false },
    );
  const ofVersion = (content: (number: number) => ReactNode) =>
    number === null ? <Empty title={t("datasets.noVersion")} hint={t("datasets.noVersionHint")} action={<Button onClick={() => go(`/collection/upload?dataset=${dataset.name}`)}>{t("upload.title")}</Button>} /> : content(number);
  const tabs = [
    { id: "profile", content: ofVersion((each) => <Profile dataset={dataset} number={each} />) },
    { id: "rows", content: ofVersion((each) => <Preview dataset={dataset} number={each} />) },
    { id: "versions", content: <Versions dataset={dataset} onOpen={(each) => set("version", String(each))} /> },
    { id: "quality", content: <Quality dataset={dataset} number={number} /> },
    { id: "quarantine", content: <Quarantine dataset={dataset} number={number} /> },
    ...(may("developer") ? [{ id: "recipe", content: ofVersion((each) => <RecipeTab dataset={dataset} number={each} />) }] : []),
    { id: "lineage", content: <Lineage dataset={dataset} /> },
    { id: "settings", content: <DatasetSettings dataset={dataset} /> },
  ];
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description={dataset.description}
          actions={
            <SpaceBetween size="xs" direction="horizontal">
              {number !== null && (
                <Select
                  ariaLabel={t("version")}
                  selectedOption={{ value: String(number), label: t("versionNumber", { number }) }}
                  options={listed.map((each) => ({ value: String(each.number), label: t("versionNumber", { number: each.number }), tags: [each.status] }))}
                  onChange={({ detail }) => set("version", detail.selectedOption.value ?? "")}
                />
              )}
              {may("admin") && <LinkButton to={`/management/grants?kind=dataset&of=${dataset.name}`}>{t("common:grants")}</LinkButton>}
              <Button iconName="search" onClick={() => go(`/collection/sql?sql=${encodeURIComponent(`SELECT * FROM "${dataset.name}" LIMIT 100`)}`)}>
                {t("sql.title")}
              </Button>
              {may("collector") && (
                <Button variant="primary" iconName="upload" onClick={() => go(`/collection/upload?dataset=${dataset.name}`)}>
                  {t("upload.title")}
                </Button>
              )}
            </SpaceBetween>
          }
          info={shown !== undefined && <Status status={shown.status} />}
        >
          {dataset.name}
        </Header>
      }
    >
      <Tabs
        activeTabId={search.get("tab") ?? "profile"}
        onChange={({ detail }) => set("tab", detail.activeTabId)}
        tabs={tabs.map((tab) => ({ ...tab, label: t(`tab.${tab.id}`) }))}
      />
    </ContentLayout>
  );
}
