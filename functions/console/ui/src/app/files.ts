/** Files of users: they are saved, never shown from the console's own origin. */

export function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  follow(url, name);
  URL.revokeObjectURL(url);
}

/** Saves what lies at an address of S3, which says itself that it is an attachment. */
export function follow(url: string, name = ""): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.rel = "noopener";
  link.click();
}
