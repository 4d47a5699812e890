/** The one client of the API. Its types are made from the OpenAPI document, so a page cannot ask for what is not there. */

import createClient, { type Middleware } from "openapi-fetch";

import { problemOf, unreachable, ApiProblem } from "./problem";
import type { components, paths } from "./schema";

/** As answers are typed: openapi-fetch makes lists of tuples. */
type Plain<T> = T extends (infer E)[] ? Plain<E>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
export type Schemas = { [Name in keyof components["schemas"]]: Plain<components["schemas"][Name]> };

const SECONDS = 30;
/** The folder that the console lies in is one below the API's root, on AWS too, where a stage stands before both. */
export const API_ROOT = new URL("..", document.baseURI).href.replace(/\/$/, "");

let token: (() => Promise<string>) | null = null;
let workspace: string | null = null;
let onRefused: () => void = () => undefined;

/** Who asks from now on: gives the token of each request; null: nobody. */
export function setCredential(source: (() => Promise<string>) | null): void {
  token = source;
}

/** Which workspace is meant, of somebody who belongs to several; null: the first that they joined. */
export function setWorkspace(id: string | null): void {
  workspace = id;
}

/** Called where the API no longer knows the credential. */
export function whenRefused(listener: () => void): void {
  onRefused = listener;
}

async function fetchOnce(request: Request): Promise<Response> {
  try {
    return await fetch(new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(SECONDS * 1000)]) }));
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw unreachable(error);
  }
}

const credentials: Middleware = {
  async onRequest({ request }) {
    if (token !== null && !request.headers.has("authorization")) {
      try {
        request.headers.set("authorization", `Bearer ${await token()}`);
      } catch (error) {
        if (error instanceof ApiProblem && error.status === 401) onRefused();
        throw error;
      }
    }
    if (workspace !== null) request.headers.set("x-aimass-workspace", workspace);
    return request;
  },
};

const answers: Middleware = {
  async onResponse({ response, request }) {
    if (response.ok) {
      // NOTE: an answer that was cut off says 200 all the same.
      if (response.headers.get("content-type")?.includes("json") && request.method === "GET") {
        try {
          await response.clone().json();
        } catch {
          throw new ApiProblem({ status: response.status, code: "unreadable", detail: "The API's answer cannot be read." });
        }
      }
      return response;
    }
    if (response.status === 401 && request.headers.has("authorization")) onRefused();
    throw await problemOf(response);
  },
};

export const api = createClient<paths>({ baseUrl: API_ROOT, fetch: fetchOnce });
api.use(answers, credentials);

/** For signing in, where nobody asks yet. */
export const openApi = createClient<paths>({ baseUrl: API_ROOT, fetch: fetchOnce });
openApi.use(answers);

/** What an answer carries: errors were thrown by then. */
export async function dataOf<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}

/** The ETag of the revision that a form was filled from. */
export function ifMatch(revision: number): { "If-Match": string } {
  return { "If-Match": `"${revision}"` };
}

/** One for each form, so that a double click makes one thing. */
export function newIdempotencyKey(): string {
  return crypto.randomUUID();
}
