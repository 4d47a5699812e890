/** What a job cost, as the workspace's costs have it; while it runs, its seconds until now at the price of its compute. */

import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { useSession } from "../../../app/session";
import { formatNumber } from "../../../components/values";
import { type Job, secondsOf } from "../jobs";

/** A day may have more of them: what is not found is worked out. */
const MAX_LINES = 1_000;

export function CostOf({ job, now }: { job: Job; now: number }) {
  const { t } = useTranslation("training");
  const { may } = useSession();
  const metered = useQuery({
    queryKey: ["costs", "job", job.id],
    queryFn: async () => {
      const day = (job.ended_at ?? "").slice(0, 10);
      const costs = await dataOf(api.GET("/v1/costs", { params: { query: { since: day, until: day, kind: "jobs", limit: MAX_LINES } } }));
      return costs.lines.find((line) => line.subject_id === job.id) ?? null;
    },
    enabled: job.ended_at != null,
    staleTime: Infinity,
    retry: false,
  });
  const isUnmetered = job.ended_at == null || metered.data === null || metered.isError;
  const body = { spec: job.spec, compute: job.compute } as Schemas["JobCreate"];
  const price = useQuery({
    queryKey: ["price", job.id],
    queryFn: () => dataOf(api.POST("/v1/jobs/estimate", { body })),
    enabled: job.budget == null && may("developer") && isUnmetered && job.kind !== "ingest" && job.kind !== "collect",
    staleTime: Infinity,
    retry: false,
  });
  const perHour = job.budget?.usd_per_hour ?? price.data?.usd_per_hour;
  const seconds = secondsOf(job, now);
  if (metered.data != null) return <>{t(metered.data.is_estimate ? "job.about" : "job.exactly", { cost: formatNumber(metered.data.usd, 3) })}</>;
  if (perHour == null || seconds === null) return <>–</>;
  return <span title={price.data?.price_source}>{t("job.cost", { cost: formatNumber((perHour * seconds) / 3600, 3), perHour: formatNumber(perHour, 3) })}</span>;
}
