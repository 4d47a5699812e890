/** Code that asks an endpoint, in three languages, with a row of its own. */

import { API_ROOT } from "../../api/client";
import type { Endpoint } from "./endpoint";
import { takesRows, tensorRequest, typicalRow } from "./signature";

export interface Sample {
  id: "curl" | "python" | "javascript";
  text: string;
}

export function samplesOf(endpoint: Pick<Endpoint, "name" | "signature" | "predict_path" | "infer_path">): Sample[] {
  const signature = endpoint.signature;
  if (signature == null) return [];
  if (signature.kind === "images") return imageSamples(endpoint);
  const rows = takesRows(signature);
  const body = rows ? { rows: [typicalRow(signature)] } : tensorRequest(signature);
  const url = API_ROOT + (rows ? endpoint.predict_path : endpoint.infer_path);
  return [
    { id: "curl", text: `curl -H "Authorization: Bearer $AIMASS_API_KEY" -H 'Content-Type: application/json' \\\n  ${shell(url)} \\\n  -d ${shell(JSON.stringify(body))}` },
    { id: "python", text: rows ? pythonRows(endpoint.name, typicalRow(signature)) : pythonTensors(url, body) },
    { id: "javascript", text: javascript(url, JSON.stringify(body, null, 2)) },
  ];
}

function pythonRows(name: string, row: object): string {
  return `import aimass

client = aimass.Client(base_url=${python(API_ROOT)}, api_key="...")
answer = client.endpoints.predict(${python(name)}, [${python(row)}])
print(answer.predictions[0])`;
}

function pythonTensors(url: string, body: object): string {
  return `import os
import httpx

answer = httpx.post(
    ${python(url)},
    headers={"Authorization": f"Bearer {os.environ['AIMASS_API_KEY']}"},
    json=${python(body)},
)
print(answer.json())`;
}

function javascript(url: string, body: string): string {
  return `const answer = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { authorization: \`Bearer \${process.env.AIMASS_API_KEY}\`, "content-type": "application/json" },
  body: JSON.stringify(${body.replaceAll("\n", "\n  ")}),
});
console.log(await answer.json());`;
}

function imageSamples(endpoint: Pick<Endpoint, "name" | "predict_path">): Sample[] {
  const url = API_ROOT + endpoint.predict_path;
  return [
    { id: "curl", text: `curl -H "Authorization: Bearer $AIMASS_API_KEY" -H 'Content-Type: image/png' \\\n  --data-binary @image.png ${shell(url)}` },
    {
      id: "python",
      text: `import os
from pathlib import Path
import httpx

answer = httpx.post(
    ${python(url)},
    headers={"Authorization": f"Bearer {os.environ['AIMASS_API_KEY']}", "Content-Type": "image/png"},
    content=Path("image.png").read_bytes(),
)
print(answer.json())`,
    },
    {
      id: "javascript",
      text: `import { readFile } from "node:fs/promises";

const answer = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { authorization: \`Bearer \${process.env.AIMASS_API_KEY}\`, "content-type": "image/png" },
  body: await readFile("image.png"),
});
console.log(await answer.json());`,
    },
  ];
}

/** One word of a POSIX shell, whatever is in it. */
export function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** JSON as Python's literals. */
export function python(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${python(each)}`).join(", ")}}`;
  return JSON.stringify(value);
}
