/** The uploads of this tab. They go on while somebody looks at other pages. */

import { useSyncExternalStore } from "react";

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../../api/client";
import { ApiProblem } from "../../../api/problem";
import { hashFile } from "./hashing";
import { abandon, sendFile } from "./sending";

export type Mode = Schemas["Upload"]["mode"];
export type Phase = "hashing" | "sending" | "done" | "paused" | "failed" | "cancelled";

export interface FileUpload {
  id: string;
  /** Whose it is: another person may sign in in the same tab. */
  owner: string;
  file: File;
  dataset: string;
  mode: Mode;
  phase: Phase;
  /** Of the present phase. */
  numBytes: number;
  error?: unknown;
  uploadId?: string;
  sha256?: string;
  version?: Schemas["DatasetVersion"];
}

let all: readonly FileUpload[] = [];
const listeners = new Set<() => void>();
const controllers = new Map<string, AbortController>();
let line: Promise<void> = Promise.resolve();

function change(id: string, changes: Partial<FileUpload>): void {
  all = all.map((each) => (each.id === id ? { ...each, ...changes } : each));
  for (const listener of listeners) listener();
}

function find(id: string): FileUpload {
  const found = all.find((each) => each.id === id);
  if (found === undefined) throw new Error(`There is no upload ${id}.`);
  return found;
}

export function useUploads(owner: string): readonly FileUpload[] {
  const uploads = useSyncExternalStore(
    (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    () => all,
  );
  return uploads.filter((each) => each.owner === owner);
}

/** Whether leaving the page would interrupt one. */
export function isBusy(): boolean {
  return all.some((each) => each.phase === "hashing" || each.phase === "sending");
}

export function add(owner: string, file: File, dataset: string, mode: Mode): void {
  const id = crypto.randomUUID();
  all = [{ id, owner, file, dataset, mode, phase: "hashing", numBytes: 0 }, ...all];
  resume(id);
}

/** One file after the other, each over several connections. */
export function resume(id: string): void {
  const controller = new AbortController();
  controllers.set(id, controller);
  change(id, { phase: "hashing", numBytes: 0, error: undefined });
  line = line.then(() => run(id, controller.signal));
}

export function pause(id: string): void {
  controllers.get(id)?.abort(new DOMException("paused", "AbortError"));
  change(id, { phase: "paused" });
}

/** What has arrived is deleted. */
export async function cancel(id: string): Promise<void> {
  controllers.get(id)?.abort(new DOMException("cancelled", "AbortError"));
  change(id, { phase: "cancelled" });
  const { dataset, uploadId } = find(id);
  if (uploadId !== undefined) await abandon(dataset, uploadId);
}

export function forget(id: string): void {
  all = all.filter((each) => each.id !== id);
  controllers.delete(id);
  for (const listener of listeners) listener();
}

async function run(id: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { file, dataset, mode } = find(id);
  try {
    const sha256 = find(id).sha256 ?? (await hashFile(file, (numBytes) => change(id, { numBytes }), signal));
    change(id, { sha256, phase: "sending", numBytes: 0 });
    await ensureDataset(dataset, signal);
    const version = await sendFile({
      file,
      dataset,
      mode,
      sha256,
      signal,
      onUpload: (upload) => change(id, { uploadId: upload.id }),
      onBytes: (numBytes) => change(id, { numBytes }),
    });
    change(id, { phase: "done", version });
  } catch (error) {
    // Whoever paused or cancelled it has said so already.
    if (!signal.aborted) change(id, { phase: "failed", error });
  }
}

async function ensureDataset(name: string, signal: AbortSignal): Promise<void> {
  try {
    await dataOf(api.GET("/v1/datasets/{dataset}", { params: { path: { dataset: name } }, signal }));
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
    await api.POST("/v1/datasets", { params: { header: { "Idempotency-Key": newIdempotencyKey() } }, body: { name } as Schemas["DatasetCreate"], signal });
  }
}
