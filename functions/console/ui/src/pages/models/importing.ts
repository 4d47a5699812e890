/** A model of another tool: packed here, sent to S3, and handed over to a job. */

import { api, dataOf, type Schemas } from "../../api/client";
import { ApiProblem, unreachable } from "../../api/problem";
import { gzip, type Packed, sha256, tarOf } from "./tar";

export interface Import {
  files: readonly File[];
  /** Rows that the original and the graph have to answer alike. */
  samples: File | null;
  signature: File | null;
  spec: Omit<Schemas["ImportSpec"], "kind" | "source">;
}

export type Stage = "packing" | "sending" | "submitting";

/** Returns the job that converts it. */
export async function importModel(given: Import, keyOf: (body: unknown) => string, tell: (stage: Stage) => void): Promise<Schemas["Job"]> {
  tell("packing");
  const files: Packed[] = given.files.map((file) => ({ name: `model/${file.name}`, body: file }));
  if (given.samples !== null) files.push({ name: `samples${suffixOf(given.samples.name)}`, body: given.samples });
  if (given.signature !== null) files.push({ name: "signature.json", body: given.signature });
  const packed = await gzip(tarOf(files));
  const source = await sha256(packed);
  tell("sending");
  const { request } = await dataOf(api.POST("/v1/jobs/sources", { body: { sha256: source, num_bytes: packed.size } }));
  if (request != null) await put(request, packed);
  tell("submitting");
  const body = { spec: { kind: "import" as const, source, ...given.spec } } as unknown as Schemas["JobCreate"];
  return dataOf(api.POST("/v1/jobs", { params: { header: { "Idempotency-Key": keyOf(body) } }, body }));
}

async function put(request: Schemas["SignedRequest"], body: Blob): Promise<void> {
  const response = await fetch(request.url, { method: request.method, headers: request.headers, body, credentials: "omit" }).catch((error: unknown) => {
    throw unreachable(error);
  });
  if (!response.ok) throw new ApiProblem({ status: response.status, code: "file", detail: `The model could not be sent (${response.status}). Send it again.` });
}

function suffixOf(name: string): string {
  return name.slice(name.lastIndexOf("."));
}
