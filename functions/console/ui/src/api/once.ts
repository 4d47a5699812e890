/** Keys that make a request count once. */

import { useRef } from "react";

import { newIdempotencyKey } from "./client";

/** One key for each body that a form comes to: sent twice it makes one thing, and changed another one. */
export function useIdempotencyKey(): (body: unknown) => string {
  const kept = useRef({ of: "", key: "" });
  return (body) => {
    const of = JSON.stringify(body);
    if (kept.current.of !== of) kept.current = { of, key: newIdempotencyKey() };
    return kept.current.key;
  };
}
