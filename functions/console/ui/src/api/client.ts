/** The one client of the API. Its types are made from the OpenAPI document, so a page cannot ask for what is not there. */

import createClient, { type Middleware } from "openapi-fetch";

import { problemOf, unreachable, ApiProblem } from "./problem";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

const SECONDS = 30;
/** The folder that the console lies in is one below the API's root, on AWS too, where a stage stands before both. */
export const API_ROOT = new URL("..", document.baseURI).href.replace(/\/$/, "");

let credential: string | null = null;
let workspace: string | null = null;
let onRefused: () => void = () => undefined;
let renew: (() => Promise<string | null>) | null = null;
let renewing: Promise<string | null> | null = null;

/** What goes into every request from now on; null: nothing. */
export function setCredential(token: string | null): void {
  credential = token;
}

/** Which of their workspaces a person means; null: the first. */
export function setWorkspace(id: string | null): void {
  workspace = id;
}

/** How a session goes on when its token has ended: another token, or null where it is over. */
export function whenEnded(way: (() => Promise<string | null>) | null): void {
  renew = way;
}

/** Called where the API no longer knows the credential. */
export function whenRefused(listener: () => void): void {
  onRefused = listener;
}

/** A request whose token has ended is sent again with another one, so that nobody notices. */
async function fetchSigned(request: Request): Promise<Response> {
  const canRenew = renew !== null && request.headers.get("authorization") === `Bearer ${credential}`;
  const again = canRenew ? request.clone() : null;
  const response = await fetchOnce(request);
  if (again === null || response.status !== 401 || renew === null) return response;
  // All that were refused together wait for the same one.
  renewing ??= renew().finally(() => (renewing = null));
  const token = await renewing;
  if (token === null) return response;
  again.headers.set("authorization", `Bearer ${token}`);
  return fetchOnce(again);
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
  onRequest({ request }) {
    // Empty: what is asked for is open to everybody.
    if (request.headers.get("authorization") === "") request.headers.delete("authorization");
    else if (credential !== null && !request.headers.has("authorization")) {
      request.headers.set("authorization", `Bearer ${credential}`);
      if (workspace !== null) request.headers.set("x-aimass-workspace", workspace);
    }
    return request;
  },
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
    if (response.status === 401 && request.headers.has("authorization") && credential !== null) onRefused();
    throw await problemOf(response);
  },
};

export const api = createClient<paths>({ baseUrl: API_ROOT, fetch: fetchSigned });
api.use(credentials);

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
