/** How the four centres are. */

import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf } from "../../api/client";
import { useMe } from "../../app/session";
import { Loaded } from "../../components/Loaded";

export function Overview() {
  const { t } = useTranslation("overview");
  const me = useMe();
  const system = useQuery({ queryKey: ["system"], queryFn: () => dataOf(api.GET("/v1/system")) });
  return (
    <ContentLayout header={<Header variant="h1">{me.workspace_name}</Header>}>
      <Loaded query={system}>
        {(found) => (
          <KeyValuePairs
            columns={3}
            items={[
              { label: t("version"), value: found.version },
              { label: t("dropFolder"), value: `s3://${found.drop_folder.bucket}/${found.drop_folder.prefix}` },
            ]}
          />
        )}
      </Loaded>
    </ContentLayout>
  );
}
