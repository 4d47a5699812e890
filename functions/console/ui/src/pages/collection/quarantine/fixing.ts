/** A quarantined row as a form has it, and as it is sent back. */

import type { Schemas } from "../../../api/client";

type Scalar = string | number | boolean | null;
export type Values = Record<string, Scalar>;
type Columns = readonly Schemas["Column"][];

/** The cells as they were found; where they could not be told apart, the text of the line is cut at its commas. */
export function cellsOf(item: Schemas["QuarantineItem"], columns: Columns): Record<string, string> {
  const names = columns.map((column) => column.name);
  if (item.values != null) {
    const found = item.values;
    return Object.fromEntries([...new Set([...names, ...Object.keys(found)])].map((name) => [name, found[name] ?? ""]));
  }
  const parts = (item.text ?? "").split(",");
  return Object.fromEntries(names.map((name, index) => [name, (parts[index] ?? "").trim()]));
}

/** What is wrong with a cell for its column's type; null: nothing. */
export function wrongFor(text: string, type: string): "integer" | "number" | "boolean" | null {
  if (text.trim() === "") return null;
  if (type === "integer" && !/^[+-]?\d+$/.test(text.trim())) return "integer";
  if (type === "number" && !Number.isFinite(Number(text))) return "number";
  if (type === "boolean" && !/^(true|false)$/i.test(text.trim())) return "boolean";
  return null;
}

/** Empty cells are missing values, which are left out. Whole numbers that JavaScript cannot hold stay text. */
export function valuesOf(cells: Record<string, string>, columns: Columns): Values {
  const values: Values = {};
  for (const { name, type } of columns) {
    const text = (cells[name] ?? "").trim();
    if (text === "") continue;
    if (type === "integer") values[name] = Number.isSafeInteger(Number(text)) ? Number(text) : text;
    else if (type === "number") values[name] = Number(text);
    else if (type === "boolean") values[name] = text.toLowerCase() === "true";
    else values[name] = cells[name] ?? "";
  }
  return values;
}
