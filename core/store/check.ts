// Hashes what is on disk.
import type { Clock, Disk } from "../api/mod.ts";
import { bytesEqual } from "../wire/mod.ts";
import type { TorrentFiles } from "./files.ts";
import { PADDING, spansOf } from "./layout.ts";
import { MAX_BUFFER_BYTES } from "./memory.ts";
import type { Layout } from "./types.ts";

// Keeps the hashing worker busy while answers are on their way.
const MAX_CHECKS = 4;

/** What {@link checkPieces} needs. */
export interface CheckOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly layout: Layout;
  readonly files: TorrentFiles;
  readonly partFile: string;
  /** File indexes that are there and may be opened. */
  readonly usable: Pick<ReadonlySet<number>, "has">;
}

/** Judges pieces by the bytes on disk. Rejects with the signal's reason when aborted. */
export async function checkPieces(
  options: CheckOptions,
  pieces: Iterable<number>,
  checked: (piece: number, right: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  const pending = pieces[Symbol.iterator]();
  const run = async () => {
    for (let next = pending.next(); !next.done; next = pending.next()) {
      signal.throwIfAborted();
      checked(next.value, await isRight(options, next.value));
    }
  };
  await Promise.all(Array.from({ length: MAX_CHECKS }, run));
  signal.throwIfAborted();
}

/** Judges one piece by its bytes on disk. */
export async function isRight(options: CheckOptions, piece: number): Promise<boolean> {
  const { disk, layout, files, partFile, usable } = options;
  const spans = spansOf(layout.files, piece * layout.pieceLength, layout.pieceSize(piece));
  const inPart = (file: number) => files.home(file) === "part";
  if (spans.some(({ file }) => file !== PADDING && !inPart(file) && !usable.has(file))) return false;
  const wanted = layout.digest?.(piece);
  if (!wanted) return await verifies(options, piece);
  const ranges = spans.map(({ file, position, offset, length }) => {
    if (file === PADDING) return { length };
    return inPart(file) ? { path: partFile, position: offset, length } : { path: files.path(file), position, length };
  });
  const digest = await disk.digest(wanted.algorithm, ranges);
  return digest !== undefined && bytesEqual(digest, wanted.expected);
}

/** For pieces that no plain hash judges: reads them here, one buffer a turn. */
async function verifies({ clock, layout, files }: CheckOptions, piece: number): Promise<boolean> {
  const verifier = layout.verifier(piece);
  const size = layout.pieceSize(piece);
  const buffer = new Uint8Array(Math.min(size, MAX_BUFFER_BYTES));
  for (let at = 0; at < size; at += buffer.length) {
    const bytes = buffer.subarray(0, Math.min(buffer.length, size - at));
    try {
      await files.read(piece * layout.pieceLength + at, bytes);
    } catch {
      return false;
    }
    verifier.update(bytes);
    await clock.turn();
  }
  return verifier.finish() === true;
}
