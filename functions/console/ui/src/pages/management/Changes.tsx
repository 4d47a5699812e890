/** Fields before and after. */

import Box from "@cloudscape-design/components/box";

interface Change {
  before?: unknown;
  after?: unknown;
}

export function Changes({ changes }: { changes: Record<string, Change> | undefined }) {
  const entries = Object.entries(changes ?? {});
  if (entries.length === 0) return <>–</>;
  return (
    <>
      {entries.map(([name, { before, after }]) => (
        <div key={name}>
          <Box variant="strong">{name}</Box> <del>{write(before)}</del> → <ins>{write(after)}</ins>
        </div>
      ))}
    </>
  );
}

function write(value: unknown): string {
  if (value === undefined || value === null) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
