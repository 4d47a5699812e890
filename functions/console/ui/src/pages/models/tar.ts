/** Files as a .tar.gz (POSIX ustar), which is what imports take. */

const BLOCK = 512;
const ENCODER = new TextEncoder();
const MAX_NAME = 100;

export interface Packed {
  name: string;
  body: Blob;
}

/** Nothing of the file system goes along: the same files give the same archive. */
export function tarOf(files: readonly Packed[]): Blob {
  const parts: BlobPart[] = [];
  for (const file of files) {
    parts.push(headerOf(file), file.body, new Uint8Array((BLOCK - (file.body.size % BLOCK)) % BLOCK));
  }
  return new Blob([...parts, new Uint8Array(2 * BLOCK)]);
}

export async function gzip(body: Blob): Promise<Blob> {
  return new Response(body.stream().pipeThrough(new CompressionStream("gzip"))).blob();
}

export async function sha256(body: Blob): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await body.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function headerOf({ name, body }: Packed): Uint8Array<ArrayBuffer> {
  const encoded = ENCODER.encode(name);
  if (encoded.length > MAX_NAME) throw new RangeError(`The name ${name} has ${encoded.length} bytes; at most ${MAX_NAME} are packed. Give the file a shorter name.`);
  const header = new Uint8Array(BLOCK);
  const write = (text: string, at: number) => header.set(ENCODER.encode(text), at);
  header.set(encoded, 0);
  write("0000644\0", 100);
  write("0000000\0", 108);
  write("0000000\0", 116);
  write(`${body.size.toString(8).padStart(11, "0")}\0`, 124);
  write("00000000000\0", 136);
  write("        ", 148);
  write("0", 156);
  write("ustar\0", 257);
  write("00", 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}
