import { expect, test } from "vitest";

import { gzip, sha256, tarOf } from "./tar";

async function bytesOf(body: Blob): Promise<Uint8Array> {
  return new Uint8Array(await body.arrayBuffer());
}

function textAt(bytes: Uint8Array, from: number, length: number): string {
  return new TextDecoder().decode(bytes.slice(from, from + length)).replace(/\0.*$/s, "");
}

test("an archive has a header, padded bytes, and two empty blocks at its end", async () => {
  const bytes = await bytesOf(tarOf([{ name: "model/größe.onnx", body: new Blob(["hello"]) }]));
  expect(bytes.length).toBe(512 + 512 + 1024);
  expect(textAt(bytes, 0, 100)).toBe("model/größe.onnx");
  expect(Number.parseInt(textAt(bytes, 124, 12), 8)).toBe(5);
  expect(textAt(bytes, 257, 6)).toBe("ustar");
  expect(textAt(bytes, 512, 512)).toBe("hello");
});

test("the checksum is that of the header with blanks in its place", async () => {
  const bytes = await bytesOf(tarOf([{ name: "samples.csv", body: new Blob(["a"]) }]));
  const header = bytes.slice(0, 512).map((byte, index) => (index >= 148 && index < 156 ? 32 : byte));
  expect(Number.parseInt(textAt(bytes, 148, 6), 8)).toBe(header.reduce((total, byte) => total + byte, 0));
});

test("a name that does not fit is refused with what to do", () => {
  expect(() => tarOf([{ name: "x".repeat(101), body: new Blob([]) }])).toThrow(/shorter name/);
});

test("what was packed comes out again, and has the sum that everybody has", async () => {
  const packed = await gzip(new Blob(["aimass"]));
  const unpacked = packed.stream().pipeThrough(new DecompressionStream("gzip"));
  expect(await new Response(unpacked).text()).toBe("aimass");
  expect(await sha256(new Blob(["abc"]))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
