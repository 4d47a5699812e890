/** Grants of datasets, models and endpoints: what the API offers for each kind, and who may be granted something. */

import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { api, dataOf, type Schemas } from "../../../api/client";
import type { ApiPage } from "../../../components/ResourceTable";

export type Grant = Schemas["Grant"];
export type Kind = Grant["kind"];
type Verb = Grant["verb"];

export const KINDS: readonly Kind[] = ["dataset", "model", "endpoint"];
const ROLES = ["viewer", "collector"] as const;
const MAX_SUGGESTED = 100;

interface Ways {
  names: () => Promise<{ items: { name: string }[] }>;
  list: (ref: string, cursor: string | undefined) => Promise<ApiPage<Grant>>;
  put: (ref: string, grantee: string, verb: Verb) => Promise<unknown>;
  revoke: (ref: string, grantee: string) => Promise<unknown>;
  /** The page of one. */
  pathOf: (ref: string) => string;
}

export const ways: Record<Kind, Ways> = {
  dataset: {
    names: () => dataOf(api.GET("/v1/datasets", { params: { query: { limit: MAX_SUGGESTED } } })),
    list: (dataset, cursor) => dataOf(api.GET("/v1/datasets/{dataset}/grants", { params: { path: { dataset }, query: { cursor } } })),
    put: (dataset, grantee, verb) => api.PUT("/v1/datasets/{dataset}/grants/{grantee}", { params: { path: { dataset, grantee } }, body: { verb } }),
    revoke: (dataset, grantee) => api.DELETE("/v1/datasets/{dataset}/grants/{grantee}", { params: { path: { dataset, grantee } } }),
    pathOf: (ref) => `/collection/datasets/${ref}`,
  },
  model: {
    names: () => dataOf(api.GET("/v1/models", { params: { query: { limit: MAX_SUGGESTED } } })),
    list: (model, cursor) => dataOf(api.GET("/v1/models/{model}/grants", { params: { path: { model }, query: { cursor } } })),
    put: (model, grantee, verb) => api.PUT("/v1/models/{model}/grants/{grantee}", { params: { path: { model, grantee } }, body: { verb } }),
    revoke: (model, grantee) => api.DELETE("/v1/models/{model}/grants/{grantee}", { params: { path: { model, grantee } } }),
    pathOf: (ref) => `/models/${ref}`,
  },
  endpoint: {
    names: () => dataOf(api.GET("/v1/endpoints", { params: { query: { limit: MAX_SUGGESTED } } })),
    list: (endpoint, cursor) => dataOf(api.GET("/v1/endpoints/{endpoint}/grants", { params: { path: { endpoint }, query: { cursor } } })),
    put: (endpoint, grantee, verb) => api.PUT("/v1/endpoints/{endpoint}/grants/{grantee}", { params: { path: { endpoint, grantee } }, body: { verb } }),
    revoke: (endpoint, grantee) => api.DELETE("/v1/endpoints/{endpoint}/grants/{grantee}", { params: { path: { endpoint, grantee } } }),
    pathOf: (ref) => `/inference/endpoints/${ref}`,
  },
};

/** Another workspace reads, somebody of this one edits: everybody here reads as it is. */
export function verbOf(grantee: string): Verb {
  return grantee.startsWith("ws_") ? "read" : "edit";
}

export interface Grantee {
  id: string;
  label: string;
  type: "role" | "user" | "key";
}

/** Whom this workspace knows: roles, people, API keys that hold. */
export function useGrantees(): Grantee[] {
  const { t } = useTranslation("management");
  const query = { params: { query: { limit: MAX_SUGGESTED } } };
  const users = useQuery({ queryKey: ["users", "suggested"], queryFn: () => dataOf(api.GET("/v1/users", query)) });
  const keys = useQuery({ queryKey: ["api-keys", "suggested"], queryFn: () => dataOf(api.GET("/v1/api-keys", query)) });
  return [
    ...ROLES.map((id) => ({ id, label: t(`grants.all.${id}`), type: "role" as const })),
    ...(users.data?.items ?? []).map((each) => ({ id: each.id, label: each.email, type: "user" as const })),
    ...(keys.data?.items ?? []).filter((each) => each.revoked_at == null).map((each) => ({ id: each.id, label: each.name, type: "key" as const })),
  ];
}

/** The id of whom a text names: by a name that only one has, or by an id; null: nobody. */
export function granteeOf(text: string, known: readonly Grantee[]): string | null {
  const named = known.filter((each) => each.label === text);
  if (named.length === 1) return named[0]!.id;
  return known.some((each) => each.id === text) || /^(ws|usr|key)_[0-9a-f]{27}$/.test(text) ? text : null;
}
