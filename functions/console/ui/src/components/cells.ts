/** What a value of somebody's data looks like in a cell: always text, or a picture that is no document. */

const MAX_CHARACTERS = 200;

/** Cut where it is long, with control characters and those that turn the direction of writing made visible. */
export function cellText(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const shown = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  return shown.replace(/[\u0000-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, (character) => (character === "\n" ? "↵" : "�"));
}

/** SVG is left out: it is a document. */
export function isPicture(value: unknown): value is string {
  return typeof value === "string" && /^data:image\/(png|jpeg|gif|webp);base64,/.test(value);
}
