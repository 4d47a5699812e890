/** Files for whoever is at the browser: always saved, never shown as a page of ours. */

export function saveText(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  saveFrom(url, name);
  URL.revokeObjectURL(url);
}

/** A presigned address answers with an attachment. */
export function saveFrom(url: string, name?: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.rel = "noreferrer";
  if (name !== undefined) link.download = name;
  link.click();
}
