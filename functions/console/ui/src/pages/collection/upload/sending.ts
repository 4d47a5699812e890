/** Bytes of a file to S3, as signed: one PUT, or parts of which those that have arrived are not sent again. */

import { api, dataOf, newIdempotencyKey, type Schemas } from "../../../api/client";
import { ApiProblem } from "../../../api/problem";

type Upload = Schemas["Upload"];
type Part = NonNullable<Upload["parts"]>[number];
type Signed = NonNullable<Upload["request"]>;
type Mode = Upload["mode"];

const NUM_CONNECTIONS = 4;
const NUM_TRIES = 4;
/** The same bytes are there: an earlier try arrived although its answer did not. */
const ALREADY_THERE = 412;

export interface Sending {
  file: File;
  dataset: string;
  mode: Mode;
  sha256: string;
  signal: AbortSignal;
  onUpload: (upload: Upload) => void;
  onBytes: (numBytes: number) => void;
}

/** Returns the version that the file becomes. One that was interrupted goes on where it stopped, in another tab too. */
export async function sendFile(sending: Sending): Promise<Schemas["DatasetVersion"]> {
  const { dataset, signal } = sending;
  let upload = (await findInterrupted(sending)) ?? (await begin(sending));
  sending.onUpload(upload);
  const path = { dataset, upload: upload.id };
  if (upload.request != null) await putWithRetries(upload.request, sending.file, sending.onBytes, signal);
  else upload = await sendParts(sending, upload);
  return await dataOf(api.POST("/v1/datasets/{dataset}/uploads/{upload}/complete", { params: { path }, signal }));
}

export async function abandon(dataset: string, upload: string): Promise<void> {
  await api.DELETE("/v1/datasets/{dataset}/uploads/{upload}", { params: { path: { dataset, upload } } });
}

function begin({ dataset, file, mode, sha256, signal }: Sending): Promise<Upload> {
  return dataOf(
    api.POST("/v1/datasets/{dataset}/uploads", {
      params: { path: { dataset }, header: { "Idempotency-Key": newIdempotencyKey() } },
      body: { file_name: file.name, num_bytes: file.size, sha256, mode },
      signal,
    }),
  );
}

async function findInterrupted({ dataset, file, mode, sha256, signal }: Sending): Promise<Upload | null> {
  const { items } = await dataOf(api.GET("/v1/datasets/{dataset}/uploads", { params: { path: { dataset }, query: { limit: 20 } }, signal }));
  const same = items.find((each) => each.status === "AWAITING" && each.sha256 === sha256 && each.num_bytes === file.size && each.mode === mode);
  return same === undefined ? null : await read(dataset, same.id, signal);
}

function read(dataset: string, upload: string, signal: AbortSignal): Promise<Upload> {
  return dataOf(api.GET("/v1/datasets/{dataset}/uploads/{upload}", { params: { path: { dataset, upload } }, signal }));
}

async function sendParts(sending: Sending, given: Upload): Promise<Upload> {
  const { file, dataset, signal, onBytes } = sending;
  let upload = given;
  for (;;) {
    const parts = upload.parts ?? [];
    const missing = parts.filter((part) => part.etag == null);
    const progress = new Map(parts.filter((part) => part.etag != null).map((part) => [part.number, part.num_bytes]));
    const tell = () => onBytes([...progress.values()].reduce((sum, each) => sum + each, 0));
    tell();
    if (missing.length === 0) return upload;
    await eachOf(missing, async (part: Part) => {
      if (part.request == null) return;
      const bytes = file.slice(part.offset, part.offset + part.num_bytes);
      await putWithRetries(part.request, bytes, (sent) => (progress.set(part.number, sent), tell()), signal);
    });
    // The API signs the parts that are next.
    upload = await read(dataset, upload.id, signal);
    const left = (upload.parts ?? []).filter((part) => part.etag == null).length;
    if (left >= missing.length) throw new ApiProblem({ status: 0, code: "unreachable", detail: `${left} parts did not arrive.` });
  }
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const line = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: NUM_CONNECTIONS }, line));
}

async function putWithRetries(request: Signed, bytes: Blob, onBytes: (sent: number) => void, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await put(request, bytes, onBytes, signal);
    } catch (error) {
      if (!(error instanceof ApiProblem) || !error.isTransient || attempt === NUM_TRIES) throw error;
      await pause(500 * 2 ** attempt, signal);
    }
  }
}

/** NOTE: fetch cannot tell how much has been sent. */
function put(request: Signed, bytes: Blob, onBytes: (sent: number) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const sending = new XMLHttpRequest();
    const abort = () => sending.abort();
    signal.addEventListener("abort", abort);
    const end = (finish: () => void) => {
      signal.removeEventListener("abort", abort);
      finish();
    };
    sending.open(request.method, request.url);
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      // The browser sets it, and lets nobody else.
      if (name.toLowerCase() !== "content-length") sending.setRequestHeader(name, value);
    }
    sending.upload.onprogress = ({ loaded }) => onBytes(loaded);
    sending.onload = () =>
      end(() => {
        if (sending.status < 300 || sending.status === ALREADY_THERE) resolve(onBytes(bytes.size));
        else reject(new ApiProblem({ status: sending.status, code: "storage", detail: reasonOf(sending.responseText, sending.status) }));
      });
    sending.onerror = () => end(() => reject(new ApiProblem({ status: 0, code: "unreachable", detail: "The storage cannot be reached." })));
    sending.onabort = () => end(() => reject(signal.reason as Error));
    sending.send(bytes);
  });
}

/** What S3 says, without the rest of its document. */
function reasonOf(body: string, status: number): string {
  return /<Message>([^<]*)<\/Message>/.exec(body)?.[1] ?? `The storage answered ${status}.`;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason as Error)), { once: true });
  });
}
