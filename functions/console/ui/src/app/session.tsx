/** Who is signed in. The credential lives in this tab only, and ends with it. */

import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";

import { api, dataOf, type Schemas, setCredential, setWorkspace, whenEnded, whenRefused } from "../api/client";
import { type Credential, openSession, readStored, renewSession, store, takeFromAddress } from "./credential";

type Me = Schemas["Principal"];
export type Role = Me["role"];

const ORDER: readonly Role[] = ["viewer", "collector", "developer", "admin"];

interface Session {
  me: Me | null;
  /** The credential no longer holds: the page stays, and a form above it asks who is there. */
  isExpired: boolean;
  isStarting: boolean;
  /** Of the link that brought somebody here: they choose a password, or sign in with theirs. */
  invitation: string | null;
  /** With an API key, or what POST /v1/sessions takes. */
  signIn: (given: string | Partial<Schemas["SessionCreate"]>) => Promise<void>;
  signOut: () => void;
  /** Of a person who belongs to several workspaces. */
  enter: (workspace: string) => Promise<void>;
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

export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [me, setMe] = useState<Me | null>(null);
  const [isExpired, setExpired] = useState(false);
  const [isStarting, setStarting] = useState(true);
  const [invitation, setInvitation] = useState<string | null>(null);
  const credential = useRef<Credential | null>(null);

  /** Every request carries it from now on. */
  const hold = useCallback((held: Credential | null) => {
    credential.current = held;
    setCredential(held?.token ?? null);
    setWorkspace(held?.workspace ?? null);
    store(held);
  }, []);

  const take = useCallback(
    async (given: Credential) => {
      const before = credential.current;
      hold(given);
      try {
        const found = await dataOf(api.GET("/v1/me"));
        if (me !== null && me.workspace_id !== found.workspace_id) queries.clear();
        setMe(found);
        setExpired(false);
        setInvitation(null);
        await queries.invalidateQueries();
      } catch (error) {
        hold(before);
        throw error;
      }
    },
    [hold, me, queries],
  );

  const signIn = useCallback<Session["signIn"]>(
    async (given) => take(typeof given === "string" ? { token: given } : await openSession(given)),
    [take],
  );

  const signOut = useCallback(() => {
    const ended = credential.current;
    // The session ends at once; should this not arrive, it ends by itself soon.
    if (ended?.refresh !== undefined) {
      void api.DELETE("/v1/sessions/current", { headers: { authorization: `Bearer ${ended.token}` } }).catch(() => undefined);
    }
    hold(null);
    setMe(null);
    setExpired(false);
    queries.clear();
  }, [hold, queries]);

  const enter = useCallback<Session["enter"]>(
    async (workspace) => {
      if (credential.current !== null) await take({ ...credential.current, workspace });
    },
    [take],
  );

  useEffect(() => {
    whenRefused(() => setExpired(true));
    whenEnded(async () => {
      const renewed = credential.current === null ? null : await renewSession(credential.current);
      if (renewed !== null) hold(renewed);
      return renewed?.token ?? null;
    });
    return () => whenEnded(null);
  }, [hold]);

  useEffect(() => {
    const start = async () => {
      const code = takeFromAddress("code");
      const invited = takeFromAddress("invitation");
      if (invited !== null) {
        setInvitation(invited);
        return;
      }
      const found = code === null ? readStored() : await openSession({ code });
      if (found !== null) await take(found);
    };
    start()
      .catch(() => hold(null))
      .finally(() => setStarting(false));
    // Once: what it calls changes with who is signed in.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const session = useMemo<Session>(
    () => ({
      me,
      isExpired,
      isStarting,
      invitation,
      signIn,
      signOut,
      enter,
      may: (role) => me !== null && ORDER.indexOf(me.role) >= ORDER.indexOf(role),
    }),
    [me, isExpired, isStarting, invitation, signIn, signOut, enter],
  );
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}
