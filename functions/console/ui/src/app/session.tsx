/** Who is signed in. The credential lives in this tab only, and ends with it. */

import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";

import { api, dataOf, openApi, type Schemas, setCredential, setWorkspace, whenRefused } from "../api/client";
import { type Credential, fromText, keepFresh, ofKey, ofTokens, toText } from "../api/credential";
import { ApiProblem } from "../api/problem";

type Me = Schemas["Principal"];
export type Role = Me["role"];
export type Workspace = Schemas["Workspace"];
/** How somebody says who they are: an API key, or what a session is made of. */
export type Proof = { key: string } | Schemas["SessionCreate"];

const STORED = "aimass.credential";
const STORED_WORKSPACE = "aimass.workspace";
const ORDER: readonly Role[] = ["viewer", "collector", "developer", "admin"];

interface Session {
  me: Me | null;
  /** Those of a person, where there are several. */
  workspaces: readonly Workspace[];
  /** The credential no longer holds: the page stays, and a form above it asks who is there. */
  isExpired: boolean;
  isStarting: boolean;
  /** Of the address, until it is accepted. */
  invitation: string | null;
  /** Why the code in the address opened nothing. */
  codeProblem: unknown;
  signIn: (proof: Proof) => Promise<void>;
  signOut: () => void;
  choose: (workspaceId: string) => Promise<void>;
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

/** What came behind the # of the address, where no server sees it; it does not stay there. */
function takeFromAddress(): { code: string | null; invitation: string | null } {
  const given = new URLSearchParams(location.hash.slice(1));
  const taken = { code: given.get("code"), invitation: given.get("invitation") };
  if (taken.code !== null || taken.invitation !== null) history.replaceState(null, "", location.pathname + location.search);
  return taken;
}

async function credentialOf(proof: Proof): Promise<Credential> {
  if ("key" in proof) return ofKey(proof.key);
  return ofTokens(await dataOf(openApi.POST("/v1/sessions", { body: proof })), Date.now());
}

function store(credential: Credential): void {
  sessionStorage.setItem(STORED, toText(credential));
}

function use(credential: Credential): void {
  const refresh = (refreshToken: string) => dataOf(openApi.POST("/v1/sessions/refresh", { body: { refresh_token: refreshToken } }));
  setCredential(keepFresh(credential, refresh, store));
  store(credential);
}

async function readMe(workspaceId: string | null): Promise<Me> {
  setWorkspace(workspaceId);
  try {
    return await dataOf(api.GET("/v1/me"));
  } catch (error) {
    // Whoever was removed from the workspace of before may belong to others.
    if (workspaceId === null || !(error instanceof ApiProblem) || error.status !== 401) throw error;
    sessionStorage.removeItem(STORED_WORKSPACE);
    return readMe(null);
  }
}

/** A page of a hundred is as many as anybody may belong to. */
async function readWorkspaces(me: Me): Promise<Workspace[]> {
  if (me.subject == null) return [];
  return (await dataOf(api.GET("/v1/workspaces", { params: { query: { limit: 100 } } }))).items;
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [me, setMe] = useState<Me | null>(null);
  const [workspaces, setWorkspaces] = useState<Workspace[]>([]);
  const [isExpired, setExpired] = useState(false);
  const [isStarting, setStarting] = useState(true);
  const [invitation, setInvitation] = useState<string | null>(null);
  const [codeProblem, setCodeProblem] = useState<unknown>(null);
  // What a 401 means depends on whether anybody is signed in at the moment.
  const isIn = useRef(false);

  const enter = useCallback(
    async (workspaceId: string | null) => {
      const found = await readMe(workspaceId);
      const others = await readWorkspaces(found);
      if (me !== null && me.workspace_id !== found.workspace_id) queries.clear();
      isIn.current = true;
      setMe(found);
      setWorkspaces(others);
      setInvitation(null);
      setCodeProblem(null);
      setExpired(false);
      await queries.invalidateQueries();
    },
    [me, queries],
  );

  const forget = useCallback(() => {
    isIn.current = false;
    // What was written and asked in this tab goes too.
    sessionStorage.clear();
    setCredential(null);
    setWorkspace(null);
    setMe(null);
    setWorkspaces([]);
    setExpired(false);
    queries.clear();
  }, [queries]);

  const signIn = useCallback(
    async (proof: Proof) => {
      const former = sessionStorage.getItem(STORED);
      use(await credentialOf(proof));
      try {
        await enter(sessionStorage.getItem(STORED_WORKSPACE));
      } catch (error) {
        sessionStorage.removeItem(STORED);
        if (former !== null) sessionStorage.setItem(STORED, former);
        setCredential(null);
        throw error;
      }
    },
    [enter],
  );

  const signOut = useCallback(() => {
    const credential = fromText(sessionStorage.getItem(STORED) ?? "");
    if (credential.refresh !== null && !isExpired) {
      // The tab forgets at once; what the API answers changes nothing here.
      const headers = { authorization: `Bearer ${credential.access}` };
      openApi.DELETE("/v1/sessions/current", { headers }).catch(() => undefined);
    }
    forget();
  }, [forget, isExpired]);

  const choose = useCallback(
    async (workspaceId: string) => {
      await enter(workspaceId);
      sessionStorage.setItem(STORED_WORKSPACE, workspaceId);
    },
    [enter],
  );

  useEffect(() => {
    whenRefused(() => setExpired(isIn.current));
    // A link that is pasted into this tab changes nothing but what is behind the #.
    const listen = () => {
      if (/[#&](code|invitation)=/.test(location.hash)) location.reload();
    };
    addEventListener("hashchange", listen);
    return () => removeEventListener("hashchange", listen);
  }, []);

  useEffect(() => {
    const start = async () => {
      const given = takeFromAddress();
      setInvitation(given.invitation);
      if (given.code !== null) {
        await signIn({ code: given.code }).catch(setCodeProblem);
        return;
      }
      const stored = given.invitation === null ? sessionStorage.getItem(STORED) : null;
      if (stored === null) return;
      use(fromText(stored));
      await enter(sessionStorage.getItem(STORED_WORKSPACE));
    };
    start()
      .catch(forget)
      .finally(() => setStarting(false));
    // Once: what it calls changes with who is signed in.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const session = useMemo<Session>(
    () => ({
      me,
      workspaces,
      isExpired,
      isStarting,
      invitation,
      codeProblem,
      signIn,
      signOut,
      choose,
      may: (role) => me !== null && ORDER.indexOf(me.role) >= ORDER.indexOf(role),
    }),
    [me, workspaces, isExpired, isStarting, invitation, codeProblem, signIn, signOut, choose],
  );
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}
