/** What lists and pages say of a job in a few words. */

import type { Schemas } from "../../api/client";

export type Job = Schemas["Job"];
export type JobStatus = Schemas["JobStatus"];

export const JOB_STATUSES: readonly JobStatus[] = ["SUBMITTED", "QUEUED", "STARTING", "RUNNING", "STOPPING", "SUCCEEDED", "FAILED", "STOPPED"];
export const JOB_KINDS: readonly Schemas["JobKind"][] = [
  "train",
  "search",
  "autotrain",
  "compress",
  "fuse",
  "decompose",
  "script",
  "import",
  "prepare",
  "predict",
  "collect",
  "ingest",
  "report",
  "export",
  "import_workspace",
];

/** Its work: which data, which algorithm, which models. */
export function whatOf(job: Job): string {
  const { spec } = job;
  // NOTE: of specs the document cannot say which has its kind: of a training it is a default.
  switch (job.kind) {
    case "train":
      return "algorithm" in spec ? `${spec.algorithm} · ${spec.dataset}` : "";
    case "search":
      return "candidates" in spec ? `${spec.candidates.map((each) => each.algorithm).join(", ")} · ${spec.dataset}` : "";
    case "autotrain":
      return "preset" in spec ? `${spec.preset} · ${spec.dataset}` : "";
    case "compress":
      return "parent" in spec ? spec.parent : "";
    case "fuse":
      return "members" in spec ? spec.members.join(", ") : "";
    case "decompose":
      return "single" in spec && "dataset" in spec ? spec.dataset : "dataset" in spec ? spec.dataset : "";
    case "script":
      return "entry_point" in spec ? spec.entry_point : "";
    case "import":
      return "format" in spec ? spec.model : "";
    case "prepare":
      return "recipe" in spec ? `${spec.dataset} → ${spec.output ?? `${spec.dataset}-prepared`}` : "";
    case "predict":
      return "dataset" in spec && "model" in spec ? `${spec.model ?? ""} · ${spec.dataset}` : "";
    case "collect":
      return "source" in spec ? spec.source : "";
    case "ingest":
      return "number" in spec ? `${spec.dataset_id}@${spec.number}` : "";
    case "report":
      return "report" in spec ? spec.report : "";
    case "export":
    case "import_workspace":
      return "";
  }
}

export function refOf(model: Schemas["ModelRef"]): string {
  return `${model.model_name}@${model.number}`;
}

export function pathOfModel(model: Schemas["ModelRef"]): string {
  return `/models/${model.model_name}/versions/${model.number}`;
}

/** How long it has run, or ran; null before it has started. */
export function secondsOf(job: Job, now: number): number | null {
  if (job.started_at == null) return null;
  const end = job.ended_at == null ? now : Date.parse(job.ended_at);
  return Math.max(0, (end - Date.parse(job.started_at)) / 1000);
}

/** What is left at the pace until now, and at most what its limit leaves; null where nothing can be said. */
export function secondsLeft(job: Job, now: number): number | null {
  const run = secondsOf(job, now);
  if (job.status !== "RUNNING" || run === null) return null;
  const limit = Math.max(0, job.max_seconds - run);
  const fraction = job.progress?.fraction ?? 0;
  return fraction > 0.02 ? Math.min(limit, (run * (1 - fraction)) / fraction) : limit;
}
