/** Files that lie in the lake, by the API's short-lived links. */

import { ApiProblem, unreachable } from "../api/problem";

/** NOTE: without the credential: the address says all. */
export async function readJson<T>(url: string): Promise<T> {
  const response = await fetch(url, { credentials: "omit", signal: AbortSignal.timeout(30_000) }).catch((error: unknown) => {
    throw unreachable(error);
  });
  if (!response.ok) {
    throw new ApiProblem({ status: response.status, code: "file", detail: `The file cannot be read (${response.status}): its link may have run out.` });
  }
  return (await response.json()) as T;
}
