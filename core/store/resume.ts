// Whether what the records claim is still on disk.
//
// A file that was settled when its stamp was taken (complete, idle, or closed by a clean end) must have exactly that
// size and time, so any later change by others is noticed. A file that was being written when the process was killed
// was, perhaps, written by us after its stamp: then its size and time may have grown, never shrunk, and it must reach
// to the end of its last claimed piece. That notices a file that was removed, cut, or replaced by an older copy. It
// can't notice that somebody edited such a half-written file in place: only a check can.
// Claims follow data into the operating system, not onto the platters: after a power cut, data that was claimed in
// the last half minute or so may be missing. A cut file is noticed by its size; for the rest, too, there is the check.
import type { Clock, Disk, FileStat } from "../api/mod.ts";
import type { Bitfield } from "../wire/mod.ts";
import { Claims } from "./claims.ts";
import { piecesOf } from "./layout.ts";
import { type FileStamp, type PieceRecords, UNSURE } from "./records.ts";
import type { Layout, PieceStore } from "./types.ts";

// Looks at several files at once: a torrent may have many thousands.
const MAX_LOOKS = 16;

/** What the records claim, not compared with what is on disk. */
export async function savedProgress(
  layout: Layout,
  records: PieceRecords,
  clock: Clock,
): Promise<Pick<PieceStore, "have" | "fileProgress">> {
  const { bits } = await records.load(layout.pieceCount);
  const claims = new Claims({ layout, clock, bits, committed: () => {}, completed: () => {}, fault: () => {} });
  return { have: claims.have, fileProgress: (file) => claims.verified(file) };
}

/** Finds the files that claimed pieces lie in and that aren't as their stamps say. `bits` are the claims. */
export async function findChanged(
  disk: Disk,
  layout: Layout,
  files: { readonly indexes: readonly number[]; path(index: number): string },
  partFile: string,
  bits: Bitfield,
  stamps: ReadonlyMap<number, FileStamp>,
): Promise<Set<number>> {
  const changed = new Set<number>();
  const partSize = (await disk.lstat(partFile).catch(() => undefined))?.size ?? 0;
  const pending = files.indexes.values();
  const look = async () => {
    for (const index of pending) {
      const stamp = stamps.get(index);
      const last = lastSet(bits, ...piecesOf(layout, index));
      if (last < 0 && stamp?.size !== UNSURE) continue;
      const { offset, length } = layout.files[index];
      const needed = Math.min((last + 1) * layout.pieceLength - offset, length);
      const holds = stamp?.home === "part"
        ? stamp.size !== UNSURE && partSize >= offset + needed
        : stamp !== undefined && await holdsUp(disk, files.path(index), stamp, needed);
      if (!holds) changed.add(index);
    }
  };
  await Promise.all(Array.from({ length: MAX_LOOKS }, look));
  return changed;
}

async function holdsUp(disk: Disk, path: string, stamp: FileStamp, needed: number): Promise<boolean> {
  // A folder that can't be entered any more is as bad as a missing file.
  const stat = await disk.lstat(path).catch(() => undefined);
  return stat?.kind === "file" && stat.size >= needed && isAsLeft(stat, stamp);
}

/** Whether a file is as its stamp says. */
export function isAsLeft(stat: FileStat, stamp: FileStamp): boolean {
  if (stamp.size === UNSURE) return false;
  if (stamp.writing) return stat.size >= stamp.size && stat.modified >= stamp.modified;
  return stat.size === stamp.size && stat.modified === stamp.modified;
}

function lastSet(bits: Bitfield, first: number, end: number): number {
  for (let piece = end - 1; piece >= first; piece--) if (bits.has(piece)) return piece;
  return -1;
}
