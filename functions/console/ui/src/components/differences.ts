/** What differs between things that are described by named values. */

export interface Difference {
  /** Such as `metrics.roc_auc` or `hyperparameters.max_depth`. */
  name: string;
  /** One for each thing; undefined where it has none. */
  values: unknown[];
  differs: boolean;
}

export function compareTables(tables: readonly ReadonlyMap<string, unknown>[]): Difference[] {
  const names = [...new Set(tables.flatMap((table) => [...table.keys()]))];
  return names.map((name) => {
    const values = tables.map((table) => table.get(name) ?? undefined);
    return { name, values, differs: new Set(values.map((value) => JSON.stringify(value))).size > 1 };
  });
}

/** Nested values by their paths; lists as they are. */
export function flatten(path: string, value: unknown): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, each]) => flatten(path === "" ? name : `${path}.${name}`, each));
}
