/** Where the next run goes on. */

import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../../api/client";
import { Code } from "../../../components/Code";
import { Confirm } from "../../../components/Confirm";
import { Loaded } from "../../../components/Loaded";
import { maySource, type Source } from "./source";

export function State({ source }: { source: Source }) {
  const { t } = useTranslation("collection");
  const queries = useQueryClient();
  const [isResetting, setResetting] = useState(false);
  const queryKey = ["sources", "one", source.name, "state"];
  const state = useQuery({
    queryKey,
    queryFn: () => dataOf(api.GET("/v1/sources/{source}/state", { params: { path: { source: source.id } } })),
    refetchInterval: 5_000,
  });
  return (
    <SpaceBetween size="m">
      <Header variant="h2" description={t("state.hint")} actions={maySource(source, "edit") && <Button onClick={() => setResetting(true)}>{t("state.reset")}</Button>}>
        {t("sourceTab.state")}
      </Header>
      <Loaded query={state}>{(found) => <Code>{JSON.stringify(found, null, 2)}</Code>}</Loaded>
      {isResetting && (
        <Confirm
          title={t("state.reset")}
          verb={t("state.reset")}
          onClose={() => setResetting(false)}
          onConfirm={async () => {
            await api.DELETE("/v1/sources/{source}/state", { params: { path: { source: source.id } } });
            await queries.invalidateQueries({ queryKey });
          }}
        >
          {t("state.resetHint")}
        </Confirm>
      )}
    </SpaceBetween>
  );
}
