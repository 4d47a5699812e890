/** Who is signed in. The credential lives in this tab only, and ends with it. */

import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";

import { api, dataOf, type Schemas, setCredential, whenRefused } from "../api/client";

type Me = Schemas["Principal"];
export type Role = Me["role"];

const STORED = "aimass.credential";
const ORDER: readonly Role[] = ["viewer", "collector", "developer", "admin"];

interface Session {
  me: Me | null;
  /** The credential no longer holds: the page stays, and a form above it asks who is there. */
  isExpired: boolean;
  isStarting: boolean;
  signIn: (token: string) => Promise<void>;
  signOut: () => void;
  /** Whether the role includes this one. The API decides; the console only leaves out what would be refused. */
  may: (role: Role) => boolean;
}

const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("There is no session around this.");
  return session;
}

/** Of a page, which is only shown to somebody who is signed in. */
export function useMe(): Me {
  const { me } = useSession();
  if (me === null) throw new Error("Nobody is signed in.");
  return me;
}

function readMe(): Promise<Me> {
  return dataOf(api.GET("/v1/me"));
}

/** A single-use code in the address (`aimass console` opens it so) becomes a session; it does not stay in the address. */
function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

async function exchange(code: string): Promise<string> {
  const made = await dataOf(api.POST("/v1/sessions" as never, { body: { code } } as never) as Promise<{ data?: { access_token: string } }>);
  return made.access_token;
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [me, setMe] = useState<Me | null>(null);
  const [isExpired, setExpired] = useState(false);
  const [isStarting, setStarting] = useState(true);

  const signIn = useCallback(
    async (token: string) => {
      setCredential(token);
      try {
        const found = await readMe();
        sessionStorage.setItem(STORED, token);
        if (me !== null && me.workspace_id !== found.workspace_id) queries.clear();
        setMe(found);
        setExpired(false);
        await queries.invalidateQueries();
      } catch (error) {
        setCredential(null);
        throw error;
      }
    },
    [me, queries],
  );

  const signOut = useCallback(() => {
    sessionStorage.removeItem(STORED);
    setCredential(null);
    setMe(null);
    setExpired(false);
    queries.clear();
  }, [queries]);

  useEffect(() => {
    whenRefused(() => setExpired(true));
  }, []);

  useEffect(() => {
    const start = async () => {
      const code = takeCode();
      const token = code === null ? sessionStorage.getItem(STORED) : await exchange(code);
      if (token !== null) await signIn(token);
    };
    start()
      .catch(() => signOut())
      .finally(() => setStarting(false));
    // Once: what it calls changes with who is signed in.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const session = useMemo<Session>(
    () => ({
      me,
      isExpired,
      isStarting,
      signIn,
      signOut,
      may: (role) => me !== null && ORDER.indexOf(me.role) >= ORDER.indexOf(role),
    }),
    [me, isExpired, isStarting, signIn, signOut],
  );
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}
