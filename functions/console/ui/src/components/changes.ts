/** What somebody changed in a form: the body of a PATCH. */

type Values = Record<string, unknown>;

/** Those fields of `after` that are not as before; of objects, only what changed in them. Taken back is null. */
export function changesOf(before: Values, after: Values): Values {
  const changed: Values = {};
  for (const [name, value] of Object.entries(after)) {
    const former = before[name];
    if (isEqual(former ?? null, value ?? null)) continue;
    changed[name] = isObject(value) && isObject(former) ? changesOf(former, value) : (value ?? null);
  }
  return changed;
}

export function isEqual(left: unknown, right: unknown): boolean {
  if (isObject(left) && isObject(right)) {
    const names = new Set([...Object.keys(left), ...Object.keys(right)]);
    return [...names].every((name) => isEqual(left[name] ?? null, right[name] ?? null));
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((each, index) => isEqual(each, right[index]));
  }
  return left === right;
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
