/** The SHA-256 of a file, computed by a worker so that the page goes on. */

import type { HashMessage } from "./hash.worker";

export function hashFile(file: File, onBytes: (numBytes: number) => void, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const worker = new Worker(new URL("./hash.worker.ts", import.meta.url), { type: "module" });
    const end = (finish: () => void) => {
      worker.terminate();
      finish();
    };
    signal.addEventListener("abort", () => end(() => reject(signal.reason as Error)), { once: true });
    worker.onerror = (event) => end(() => reject(new Error(event.message)));
    worker.onmessage = ({ data }: MessageEvent<HashMessage>) => {
      if ("numBytes" in data) onBytes(data.numBytes);
      else if ("sha256" in data) end(() => resolve(data.sha256));
      else end(() => reject(new Error(data.error)));
    };
    worker.postMessage(file);
  });
}
