/** What this tab signs its requests with. It ends with the tab. */

import { api, dataOf, type Schemas } from "../api/client";

export interface Credential {
  token: string;
  /** Of a session: what renews the token. */
  refresh?: string;
  /** Which of their workspaces a person works in. */
  workspace?: string;
}

type SignIn = Schemas["SessionCreate"];

const STORED = "aimass.credential";

export function readStored(): Credential | null {
  const stored = sessionStorage.getItem(STORED);
  if (stored === null) return null;
  // A key by itself is as good: `aim_...`.
  if (!stored.startsWith("{")) return { token: stored };
  try {
    return JSON.parse(stored) as Credential;
  } catch {
    return null;
  }
}

export function store(credential: Credential | null): void {
  if (credential === null) sessionStorage.removeItem(STORED);
  else sessionStorage.setItem(STORED, JSON.stringify(credential));
}

/** Nobody is signed in yet: the request carries no credential. */
export async function openSession(given: Partial<SignIn>): Promise<Credential> {
  const made = await dataOf(api.POST("/v1/sessions", { body: given as SignIn, headers: { authorization: "" } }));
  return { token: made.access_token, refresh: made.refresh_token };
}

/** The same with another token; null where the session is over. */
export async function renewSession(credential: Credential): Promise<Credential | null> {
  if (credential.refresh === undefined) return null;
  try {
    const made = await dataOf(api.POST("/v1/sessions/refresh", { body: { refresh_token: credential.refresh }, headers: { authorization: "" } }));
    return { ...credential, token: made.access_token, refresh: made.refresh_token };
  } catch {
    return null;
  }
}

/** A secret of the address (`#code=...`, `#invitation=...`) is taken out of it at once. */
export function takeFromAddress(name: "code" | "invitation"): string | null {
  const found = new URLSearchParams(location.hash.slice(1)).get(name);
  if (found !== null) history.replaceState(null, "", location.pathname + location.search);
  return found;
}
