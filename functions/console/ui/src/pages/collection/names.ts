/** Names of resources, as the API takes them. */

export function isName(text: string): boolean {
  return /^[a-z0-9][a-z0-9_-]{0,62}$/.test(text);
}

/** What a dataset may be called that is made of a file. */
export function nameOf(fileName: string): string {
  const stem = fileName.replace(/(\.(csv|tsv|txt|json|jsonl|ndjson|parquet|zip|gz|bz2|xz|zst|tar|data))+$/i, "");
  const name = stem
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^[-_]+|[-_]+$/g, "")
    .slice(0, 63);
  return name || "data";
}
