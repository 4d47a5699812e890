/** Which of several candidates nothing else beats. */

/** Marks those of which no other is as good in everything and better in something. Each value: the smaller, the better. */
export function markPareto(values: readonly (readonly number[])[]): boolean[] {
  return values.map((own) => !values.some((other) => other !== own && other.every((each, index) => each <= (own[index] ?? 0)) && other.some((each, index) => each < (own[index] ?? 0))));
}
