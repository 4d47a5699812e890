/** What this tab shows the API: an API key, which holds until it is revoked, or a session, which is kept fresh. */

export interface Credential {
  access: string;
  /** Null: an API key. */
  refresh: string | null;
  /** By this machine's own clock, in milliseconds. */
  expiresAt: number | null;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

/** A token is not used in its last seconds: a request takes a while, and a clock may be off by some. */
const MARGIN_MILLISECONDS = 60_000;

export function ofKey(key: string): Credential {
  return { access: key, refresh: null, expiresAt: null };
}

export function ofTokens(tokens: Tokens, now: number): Credential {
  return { access: tokens.access_token, refresh: tokens.refresh_token, expiresAt: now + tokens.expires_in * 1000 };
}

/** As `toText` wrote it; a text that is nothing of ours is taken for a key. */
export function fromText(text: string): Credential {
  try {
    const stored = JSON.parse(text) as Credential;
    if (typeof stored.access === "string") return stored;
  } catch {
    // A key is no JSON.
  }
  return ofKey(text);
}

export function toText(credential: Credential): string {
  return credential.refresh === null ? credential.access : JSON.stringify(credential);
}

/**
 * Gives the token of each request, another one before it ends. Requests that need it at the same time wait for one
 * refresh; there is no timer that a sleeping machine could miss.
 */
export function keepFresh(
  credential: Credential,
  refresh: (refreshToken: string) => Promise<Tokens>,
  onRefreshed: (credential: Credential) => void,
  clock: () => number = Date.now,
): () => Promise<string> {
  let present = credential;
  let refreshing: Promise<string> | null = null;

  const renew = async (refreshToken: string): Promise<string> => {
    try {
      present = ofTokens(await refresh(refreshToken), clock());
      onRefreshed(present);
      return present.access;
    } finally {
      refreshing = null;
    }
  };
  return async () => {
    const { access, refresh: refreshToken, expiresAt } = present;
    if (refreshToken === null || expiresAt === null || clock() < expiresAt - MARGIN_MILLISECONDS) return access;
    refreshing ??= renew(refreshToken);
    return refreshing;
  };
}
