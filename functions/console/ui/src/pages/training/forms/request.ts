/** The request of a job while a form fills it. */

import { useMutation, type UseMutationResult, useQueryClient } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import { contract } from "../../../api/contract";
import { useIdempotencyKey } from "../../../api/once";
import { useGo } from "../../../app/links";
import { useNotices } from "../../../app/notices";
import type { JsonSchema } from "../../../components/SchemaForm";
import { bodyOf, errorsOf, type Filled, type Values } from "./body";

export interface JobRequest extends Filled {
  setSpec: (change: Values) => void;
  replaceSpec: (spec: Values) => void;
  setCompute: (compute: Values) => void;
  setMinutes: (minutes: number | null) => void;
  setMaxCostUsd: (maxCostUsd: number | null) => void;
  body: Schemas["JobCreate"];
  /** By the name of a field of the spec, what the API said of it. */
  errors: Record<string, string>;
  submit: UseMutationResult<Schemas["Job"], Error, void>;
  estimate: UseMutationResult<Schemas["JobEstimate"], Error, void>;
}

export function useJobRequest(kind: Schemas["JobKind"], initial: Values, initialMinutes: number | null = null): JobRequest {
  const { t } = useTranslation("training");
  const go = useGo();
  const notices = useNotices();
  const queries = useQueryClient();
  const [spec, replaceSpec] = useState<Values>(initial);
  const [compute, setCompute] = useState<Values>({});
  const [minutes, setMinutes] = useState<number | null>(initialMinutes);
  const [maxCostUsd, setMaxCostUsd] = useState<number | null>(null);
  const body = useMemo(() => bodyOf(kind, { spec, compute, minutes, maxCostUsd }), [kind, spec, compute, minutes, maxCostUsd]);
  const keyOf = useIdempotencyKey();
  const shown = useRef("");
  const submit = useMutation({
    mutationFn: () => dataOf(api.POST("/v1/jobs", { params: { header: { "Idempotency-Key": keyOf(body) } }, body })),
    onSuccess: (job) => {
      // The second of a double click made the same job: whoever has gone on from it is not taken back.
      if (shown.current === job.id) return;
      shown.current = job.id;
      notices.success(t("form.submitted"));
      void queries.invalidateQueries({ queryKey: ["jobs"] });
      go(job.study_id == null ? `/training/jobs/${job.id}` : `/training/studies/${job.study_id}`);
    },
  });
  const estimate = useMutation({ mutationFn: () => dataOf(api.POST("/v1/jobs/estimate", { body })) });
  const errors = useMemo(() => errorsOf(submit.error ?? estimate.error), [submit.error, estimate.error]);
  const setSpec = (change: Values) => replaceSpec((before) => ({ ...before, ...change }));
  return { spec, compute, minutes, maxCostUsd, setSpec, replaceSpec, setCompute, setMinutes, setMaxCostUsd, body, errors, submit, estimate };
}

/** Some fields of a request, as the API describes them. */
export function schemaOf(name: Parameters<typeof contract>[0], fields: readonly string[]): JsonSchema {
  const schema = contract(name);
  const properties = Object.entries(schema.properties ?? {}).filter(([field]) => fields.includes(field));
  return { ...schema, properties: Object.fromEntries(properties) };
}
