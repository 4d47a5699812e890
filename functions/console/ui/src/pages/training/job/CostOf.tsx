/** What a job has cost until now: its seconds at the price of its compute. */

import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { useSession } from "../../../app/session";
import { formatNumber } from "../../../components/values";
import { type Job, secondsOf } from "../jobs";

export function CostOf({ job, now }: { job: Job; now: number }) {
  const { t } = useTranslation("training");
  const { may } = useSession();
  const body = { spec: job.spec, compute: job.compute } as Schemas["JobCreate"];
  const price = useQuery({
    queryKey: ["price", job.id],
    queryFn: () => dataOf(api.POST("/v1/jobs/estimate", { body })),
    enabled: job.budget == null && may("developer") && job.kind !== "ingest" && job.kind !== "collect",
    staleTime: Infinity,
    retry: false,
  });
  const perHour = job.budget?.usd_per_hour ?? price.data?.usd_per_hour;
  const seconds = secondsOf(job, now);
  if (perHour == null || seconds === null) return <>–</>;
  return <span title={price.data?.price_source}>{t("job.cost", { cost: formatNumber((perHour * seconds) / 3600, 3), perHour: formatNumber(perHour, 3) })}</span>;
}
