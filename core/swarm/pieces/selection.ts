/** Which files of a torrent are wanted, and how much. @module */
import type { PieceStore, SwarmRecord } from "../../store/mod.ts";
import type { Info } from "../../wire/mod.ts";

/** A file's priority when it is wanted and nobody said more. */
export const NORMAL_PRIORITY = 4;

/** What is wrong with a selection (file indexes) of a torrent of `count` files: undefined if all of it is there. */
export function selectionProblem(select: readonly number[] | undefined, count: number): string | undefined {
  const beyond = select?.find((index) => !(index >= 0 && index < count));
  if (beyond === undefined) return undefined;
  return `there is no file ${beyond + 1}: the torrent has ${count === 1 ? "one file" : `${count} files`}`;
}

/** The wishes of one swarm: from file selection and priorities to priorities of pieces, and how far they are met. */
export class Selection {
  /** Each file's priority, 0 (skip) to 7. */
  readonly priorities: readonly number[];
  /** Bytes of the wanted files. */
  readonly wantedBytes: number;
  readonly #info: Info;

  constructor(info: Info, { select, priorities }: Pick<SwarmRecord, "select" | "priorities">) {
    const selected = select && new Set(select);
    this.#info = info;
    this.priorities = info.files.map((_, index) =>
      priorities?.[index] ?? (selected?.has(index) ?? true ? NORMAL_PRIORITY : 0)
    );
    this.wantedBytes = info.files.reduce(
      (sum, { length }, index) => this.priorities[index] > 0 ? sum + length : sum,
      0,
    );
  }

  /** By file index. */
  get wantedFiles(): boolean[] {
    return this.priorities.map((priority) => priority > 0);
  }

  /** A piece is as wanted as the most wanted file in it. */
  piecePriorities(): Uint8Array {
    const { files, pieceCount, pieceLength } = this.#info;
    const priorities = new Uint8Array(pieceCount);
    files.forEach(({ pad, length, offset }, index) => {
      if (pad || length === 0) return;
      const last = Math.floor((offset + length - 1) / pieceLength);
      for (let piece = Math.floor(offset / pieceLength); piece <= last; piece++) {
        priorities[piece] = Math.max(priorities[piece], this.priorities[index]);
      }
    });
    return priorities;
  }

  /** Verified bytes, of the wanted files alone. */
  wantedDone(progress: Pick<PieceStore, "have" | "fileProgress">): number {
    if (this.priorities.every((priority) => priority > 0)) return doneBytes(this.#info, progress);
    return this.priorities.reduce((sum, priority, index) => priority > 0 ? sum + progress.fileProgress(index) : sum, 0);
  }
}

/** Verified bytes of the whole torrent. */
export function doneBytes(info: Info, { have }: Pick<PieceStore, "have">): number {
  if (have.empty) return 0;
  const last = info.pieceCount - 1;
  const short = have.has(last) ? info.pieceLength - info.pieceSize(last) : 0;
  return have.count * info.pieceLength - short;
}
