import { Buffer } from "node:buffer";

/** Size of the buffer that payload is made and compared in, in bytes. */
const chunkSize = 1 << 20;

/** A file to make: where it stands in the payload, and how many bytes it has. */
export interface PayloadFile {
  /** Path relative to the folder of the payload, with `/`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** Bytes that look random and are the same every time for the same seed (Marsaglia's xorshift32). */
export function xorshift(seed: number): (into: Uint8Array) => void {
  let state = seed | 0 || 1;
  return (into) => {
    const words = new Int32Array(Math.ceil(into.length / 4));
    let word = state;
    for (let i = 0; i < words.length; i++) {
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      words[i] = word;
    }
    state = word;
    into.set(new Uint8Array(words.buffer, 0, into.length));
  };
}

/** Writes the files below `folder`, each with bytes of its own that follow from its path. */
export async function writePayload(folder: string, files: readonly PayloadFile[]): Promise<void> {
  for (const { path, size } of files) {
    const target = `${folder}/${path}`;
    await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
    using file = await Deno.open(target, { write: true, create: true, truncate: true });
    const fill = xorshift(seedOf(path));
    const buffer = new Uint8Array(chunkSize);
    for (let left = size; left > 0; left -= chunkSize) {
      const view = buffer.subarray(0, Math.min(left, chunkSize));
      fill(view);
      for (let at = 0; at < view.length;) at += await file.write(view.subarray(at));
    }
  }
}

/** Says how `folder` differs from what `writePayload` wrote there: missing files, sizes, the first byte that differs. */
export async function payloadFaults(folder: string, files: readonly PayloadFile[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { path, size } of files) {
    const found = await Deno.stat(`${folder}/${path}`).catch(() => undefined);
    if (!found) {
      faults.push(`"${path}" is missing`);
    } else if (found.size !== size) {
      faults.push(`"${path}" has ${found.size} bytes, expected ${size}`);
    } else {
      const at = await firstDifference(`${folder}/${path}`, xorshift(seedOf(path)));
      if (at !== undefined) faults.push(`"${path}" differs from byte ${at} on`);
    }
  }
  return faults;
}

/** FNV-1a of the path: neighbours get unlike seeds. */
function seedOf(path: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(path)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

async function firstDifference(path: string, fill: (into: Uint8Array) => void): Promise<number | undefined> {
  using file = await Deno.open(path);
  const expected = Buffer.alloc(chunkSize);
  const found = Buffer.alloc(chunkSize);
  for (let start = 0;; start += chunkSize) {
    let length = 0;
    for (let count; length < chunkSize && (count = await file.read(found.subarray(length))); length += count);
    if (length === 0) return undefined;
    fill(expected);
    if (found.compare(expected, 0, length, 0, length) === 0) continue;
    return start + found.findIndex((byte, i) => byte !== expected[i]);
  }
}
