/** What is expected of every new version: each check with a form of its own. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import ButtonDropdown from "@cloudscape-design/components/button-dropdown";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf, ifMatch, type Schemas } from "../../../api/client";
import { useSchemas } from "../../../api/schemas";
import { useNotices } from "../../../app/notices";
import { useSession } from "../../../app/session";
import { Empty } from "../../../components/Empty";
import { Loaded } from "../../../components/Loaded";
import { PiecesForm, type Piece } from "../PiecesForm";
import { SaveProblem } from "../SaveProblem";
import { useEditing } from "../editing";

type Dataset = Schemas["Dataset"];
type Expected = NonNullable<Dataset["expectations"]>;

/** The schema of each check, by its word. */
export const CHECKS: Record<string, string> = {
  columns: "ColumnsExpected",
  type: "TypeExpected",
  range: "RangeExpected",
  values: "ValuesExpected",
  pattern: "PatternExpected",
  missing: "MissingExpected",
  unique: "UniqueExpected",
  row_count: "RowCountExpected",
  freshness: "FreshnessExpected",
  drift: "DriftExpected",
  label_balance: "LabelBalanceExpected",
  leakage: "LeakageExpected",
  near_duplicates: "NearDuplicatesExpected",
};

export function Expectations({ dataset, number }: { dataset: Dataset; number: number | null }) {
  const { t } = useTranslation("collection");
  const { may } = useSession();
  const notices = useNotices();
  const queries = useQueryClient();
  const schemas = useSchemas();
  const isLocked = !may("developer");
  const editing = useEditing({
    current: dataset,
    fieldsOf: (each) => ({ expectations: (each.expectations ?? []) as unknown as Piece[] }),
    save: ({ expectations }, revision) =>
      dataOf(
        api.PATCH("/v1/datasets/{dataset}", {
          params: { path: { dataset: dataset.name }, header: ifMatch(revision) },
          body: { expectations: expectations as unknown as Expected },
        }),
      ),
    read: () => dataOf(api.GET("/v1/datasets/{dataset}", { params: { path: { dataset: dataset.name } } })),
    onSaved: (made) => {
      queries.setQueryData(["datasets", dataset.name], made);
      notices.success(t("saved"));
    },
  });
  const suggesting = useMutation({
    mutationFn: (from: number) =>
      dataOf(api.GET("/v1/datasets/{dataset}/versions/{number}/expectations", { params: { path: { dataset: dataset.name, number: from } } })),
    onSuccess: ({ expectations }) => {
      const named = new Set(editing.fields.expectations.map(nameOf));
      const added = (expectations as unknown as Piece[]).filter((each) => !named.has(nameOf(each)));
      editing.set({ expectations: [...editing.fields.expectations, ...added] });
    },
    onError: notices.failure,
  });
  const pieces = editing.fields.expectations;
  return (
    <SpaceBetween size="m">
      <Header
        variant="h2"
        counter={`(${pieces.length})`}
        description={t("expectations.hint")}
        actions={
          !isLocked && (
            <SpaceBetween size="xs" direction="horizontal">
              {number !== null && (
                <Button loading={suggesting.isPending} onClick={() => suggesting.mutate(number)}>
                  {t("expectations.suggest")}
                </Button>
              )}
              <ButtonDropdown
                items={Object.keys(CHECKS).map((check) => ({ id: check, text: t(`expected.${check}`) }))}
                onItemClick={({ detail }) => editing.set({ expectations: [...pieces, { check: detail.id }] })}
              >
                {t("add")}
              </ButtonDropdown>
              <Button variant="primary" disabled={!editing.isChanged} loading={editing.saving.isPending} onClick={editing.submit}>
                {t("common:save")}
              </Button>
            </SpaceBetween>
          )
        }
      >
        {t("expectations.title")}
      </Header>
      {editing.saving.isError && <SaveProblem error={editing.saving.error} onLoadTheirs={editing.loadTheirs} />}
      {pieces.length === 0 && <Empty title={t("expectations.none")} hint={t("expectations.noneHint")} />}
      <Loaded query={schemas}>
        {(found) => (
          <PiecesForm
            pieces={pieces}
            kindKey="check"
            schemas={CHECKS}
            definitions={found}
            titleOf={(piece) => t(`expected.${String(piece.check)}`)}
            disabled={isLocked}
            onChange={(next) => editing.set({ expectations: next })}
          />
        )}
      </Loaded>
      {editing.isChanged && <Box color="text-status-warning">{t("unsaved")}</Box>}
    </SpaceBetween>
  );
}

function nameOf(piece: Piece): string {
  return `${String(piece.check)} ${JSON.stringify(piece.column ?? piece.columns ?? piece.against ?? null)}`;
}
