/** SHA-256 of a file of any size, piece by piece, beside the page. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const PIECE_BYTES = 4 * 1024 ** 2;

export type HashMessage = { numBytes: number } | { sha256: string } | { error: string };

const post = (message: HashMessage) => postMessage(message);

onmessage = async ({ data: file }: MessageEvent<File>) => {
  try {
    const hash = sha256.create();
    for (let from = 0; from < file.size; from += PIECE_BYTES) {
      const piece = await file.slice(from, from + PIECE_BYTES).arrayBuffer();
      hash.update(new Uint8Array(piece));
      post({ numBytes: from + piece.byteLength });
    }
    post({ sha256: bytesToHex(hash.digest()) });
  } catch (error) {
    // Such as a file that was moved or changed since it was chosen.
    post({ error: error instanceof Error ? error.message : String(error) });
  }
};
