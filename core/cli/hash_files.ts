/** Piece hashes of files on disk. @module */
import { CommandError, type Disk, type FileRange } from "../api/mod.ts";
import type { ListedFile } from "./files.ts";

/** Pieces that are hashed at once: enough to keep the disk and the hash busy. */
const AT_ONCE = 4;

/**
 * The SHA-1 of each piece, 20 bytes a piece, hashed off the main thread. `progress` gets the bytes done so far.
 *
 * @throws {CommandError} when a file becomes shorter meanwhile
 */
export async function hashFiles(
  disk: Disk,
  files: readonly ListedFile[],
  pieceLength: number,
  progress: (done: number) => void,
): Promise<Uint8Array> {
  const pieces = pieceRanges(files, pieceLength);
  const hashes = new Uint8Array(pieces.length * 20);
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < pieces.length) {
      const piece = next++;
      const hash = await disk.digest("sha1", pieces[piece]);
      if (!hash) {
        const names = pieces[piece].map(({ path }) => `"${path}"`).join(" or ");
        throw new CommandError(`${names} became shorter while it was read; try again when nothing writes to it`);
      }
      hashes.set(hash, piece * 20);
      done += pieces[piece].reduce((sum, { length }) => sum + length, 0);
      progress(done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return hashes;
}

/** The ranges of files that make up each piece. Empty files are in none. */
export function pieceRanges(files: readonly ListedFile[], pieceLength: number): FileRange[][] {
  const pieces: FileRange[][] = [];
  let room = 0;
  for (const { file, length } of files) {
    for (let position = 0; position < length;) {
      if (room === 0) {
        pieces.push([]);
        room = pieceLength;
      }
      const taken = Math.min(room, length - position);
      pieces[pieces.length - 1].push({ path: file, position, length: taken });
      position += taken;
      room -= taken;
    }
  }
  return pieces;
}
