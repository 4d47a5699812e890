/** Sends an archive straight to S3, under its SHA-256: bytes that are there already are not sent again. */

import { api, dataOf } from "../../api/client";
import { ApiProblem } from "../../api/problem";
import { hashFile } from "../collection/upload/hashing";

/** Its SHA-256, as an import names it. `onPercent` hears how far it is. */
export async function sendArchive(workspace: string, file: File, onPercent: (percent: number) => void): Promise<string> {
  const sha256 = await hashFile(file, () => undefined, new AbortController().signal);
  const archive = await dataOf(
    api.POST("/v1/workspaces/{workspace}/archives", { params: { path: { workspace } }, body: { sha256, num_bytes: file.size } }),
  );
  if (archive.request != null) await put(archive.request, file, onPercent);
  return sha256;
}

/** NOTE: fetch tells nobody how far an upload is. */
function put(signed: { method: string; url: string; headers?: Record<string, string> }, file: File, onPercent: (percent: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const fail = () => reject(new ApiProblem({ status: request.status, code: "unreachable", detail: `S3 did not take the archive (${request.status}).` }));
    request.open(signed.method, signed.url);
    for (const [name, value] of Object.entries(signed.headers ?? {})) {
      // Browsers set it themselves, and refuse to be told.
      if (name.toLowerCase() !== "content-length") request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onPercent((100 * event.loaded) / event.total);
    request.onload = () => (request.status < 300 ? resolve() : fail());
    request.onerror = fail;
    request.send(file);
  });
}
