/** The queries of this tab: what was written, and what ran. It ends with the tab. */

import { useState } from "react";

export interface Past {
  id: string;
  sql: string;
  at: string;
}

const HISTORY = "aimass.sql.history";
const DRAFT = "aimass.sql.draft";
const LENGTH = 50;

function read(): Past[] {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(HISTORY) ?? "[]");
    return Array.isArray(found) ? (found as Past[]) : [];
  } catch {
    return [];
  }
}

export function useHistory(): { past: Past[]; remember: (id: string, sql: string) => void } {
  const [past, setPast] = useState(read);
  const remember = (id: string, sql: string) => {
    const next = [{ id, sql, at: new Date().toISOString() }, ...past].slice(0, LENGTH);
    sessionStorage.setItem(HISTORY, JSON.stringify(next));
    setPast(next);
  };
  return { past, remember };
}

export function readDraft(): string {
  return sessionStorage.getItem(DRAFT) ?? "";
}

export function keepDraft(sql: string): void {
  sessionStorage.setItem(DRAFT, sql);
}
