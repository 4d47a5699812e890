/** What a source was before each change. */

import ExpandableSection from "@cloudscape-design/components/expandable-section";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { Code } from "../../../components/Code";
import { Empty } from "../../../components/Empty";
import { ResourceTable } from "../../../components/ResourceTable";
import { Time } from "../../../components/values";
import type { Source } from "./source";

type SourceRecord = Schemas["SourceRecord"];

export function Revisions({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  return (
    <ResourceTable<SourceRecord>
      variant="borderless"
      wrapLines
      queryKey={["sources", "one", source.name, "revisions", source.revision]}
      read={(cursor) => dataOf(api.GET("/v1/sources/{source}/revisions", { params: { path: { source: source.id }, query: { limit: 20, cursor } } }))}
      trackBy={(each) => String(each.revision)}
      title={t("sourceTab.revisions")}
      empty={<Empty title={t("revisions.none")} />}
      columns={[
        { id: "revision", header: t("revisions.revision"), cell: (each) => each.revision, isRowHeader: true, width: 120 },
        { id: "at", header: t("updated"), cell: (each) => <Time at={each.updated_at} />, width: 240 },
        {
          id: "what",
          header: t("revisions.was"),
          cell: (each) => (
            <ExpandableSection headerText={t("revisions.show")}>
              <Code>{JSON.stringify({ description: each.description, owner: each.owner, purpose: each.purpose, consent: each.consent, collector: each.collector, policy: each.policy }, null, 2)}</Code>
            </ExpandableSection>
          ),
        },
      ]}
    />
  );
}
