/** The report of an endpoint as a file: it is not shown here, for what is in it is its users'. */

import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api } from "../../api/client";
import { save } from "../../app/files";
import { useNotices } from "../../app/notices";
import type { Endpoint } from "./endpoint";

export function DownloadReport({ endpoint, minutes }: { endpoint: Endpoint; minutes: string }) {
  const { t } = useTranslation("inference");
  const notices = useNotices();
  const loading = useMutation({
    mutationFn: async () => {
      const { data } = await api.GET("/v1/endpoints/{endpoint}/report.html", {
        params: { path: { endpoint: endpoint.name }, query: { minutes: Number(minutes) } },
        parseAs: "blob",
      });
      save(data as Blob, `${endpoint.name}.html`);
    },
    onError: notices.failure,
  });
  return (
    <Box padding={{ top: "xl" }}>
      <Button iconName="download" loading={loading.isPending} onClick={() => loading.mutate()}>
        {t("report")}
      </Button>
    </Box>
  );
}
