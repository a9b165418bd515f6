/**
 * What the store is to a swarm. The store is block-granular and hash-agnostic, and knows nothing of peers.
 *
 * @module
 */
import type { Bitfield, FileEntry } from "../wire/mod.ts";

/** Judges the bytes of one piece, fed in order. */
export interface Verifier {
  update(bytes: Uint8Array): void;
  /** Whether the bytes are right, or `"unknown"` while what they are compared with isn't known yet (Merkle). */
  finish(): boolean | "unknown";
}

/** The shape of a torrent's data, and how its pieces are verified. */
export interface Layout {
  /** The torrent's name; with `multi`, the folder that its files stand in. */
  readonly name: string;
  readonly multi: boolean;
  readonly files: readonly FileEntry[];
  /** Bytes. */
  readonly pieceLength: number;
  readonly pieceCount: number;
  /** Total bytes. */
  readonly length: number;
  pieceSize(piece: number): number;
  verifier(piece: number): Verifier;
  /** What a plain hash of the piece must be, where there is one: `check` then hashes off the main thread. */
  digest?(piece: number): { readonly algorithm: "sha1" | "sha256"; readonly expected: Uint8Array };
}

/** What the store tells its swarm. Called from a fresh stack, never from inside `write`. */
export interface StoreEvents {
  /**
   * The piece is verified, on disk, and the bitfield that claims it is committed: peers may be told.
   * `wrong` has, for each earlier failed attempt at this piece, the block indexes (16 KiB) whose bytes differed.
   */
  pieceStored(piece: number, wrong: readonly (readonly number[])[]): void;
  /** The bytes don't match; the piece is empty again. */
  pieceFailed(piece: number): void;
  /**
   * The piece is empty again, through no fault of a peer: the disk refused and its memory was needed, or its file
   * changed under us. `had` says that it was claimed before: peers were told of it.
   */
  pieceLost?(piece: number, had: boolean): void;
  /** The disk refused, or most of the files are gone. Nothing is written or read until `retry` succeeds. */
  failed(error: Error): void;
  /** `backlog` went from true to false. */
  drained(): void;
}

/** The pieces of one torrent on disk. */
export interface PieceStore {
  /** Verified pieces whose claim is committed. Live; callers only read it. */
  readonly have: Bitfield;
  /** Files changed since the records were made: {@link PieceStore.look} at them before anything else. */
  readonly doubtful: boolean;
  /** Open pieces hold as much memory as they may and the disk is behind: stop reading from peers until `drained`. */
  readonly backlog: boolean;
  /** Takes bytes of a piece (a block, or any part of one), copying them once. Synchronous; bytes already there are ignored. */
  write(piece: number, begin: number, bytes: Uint8Array): void;
  /** Forgets the bytes that an unfinished piece holds. */
  discard(piece: number): void;
  /**
   * Fills `into` with bytes of a verified piece. True when they came from the read-ahead cache at once, else a
   * promise; it rejects when the disk fails, or its file changed under us and the piece is lost. Then the file's pieces
   * are hashed again, and `pieceLost` tells which are.
   */
  read(piece: number, begin: number, into: Uint8Array): true | Promise<void>;
  /** Which files are wanted, by index. Bytes of the others live in the part file; those of newly wanted ones move out of it. */
  select(wanted: readonly boolean[]): Promise<void>;
  /** Whether files are there that nobody looked into: `check` tells what of them is right. */
  hasUnknownData(): Promise<boolean>;
  /**
   * Makes sure that what stands in the way of the wanted files may be written to; call it before anything is fetched.
   * `held` are those of the given paths that are an older torrent's too.
   *
   * @throws {ObstacleError} when it may not; with `force` strangers become the torrent's own, cut to their length
   */
  clearWay(options: {
    readonly force: boolean;
    held(paths: readonly string[]): Promise<ReadonlySet<string>>;
  }): Promise<void>;
  /**
   * Hashes everything that is on disk and sets `have` to what is right. Open pieces are forgotten first, and no
   * `pieceStored` is told of what is found.
   */
  check(onProgress: (piecesChecked: number) => void, signal: AbortSignal): Promise<void>;
  /**
   * Hashes the pieces of files that changed, and keeps what is right.
   *
   * @throws {FilesGoneError} when most of what there was is gone: nothing is dropped then
   */
  look(onProgress: (piecesChecked: number) => void, signal: AbortSignal): Promise<void>;
  /**
   * Makes sure that every wanted file is there with its length, as it was left, and hashes those that aren't: afterwards
   * `have` holds what really is there. Rejects like {@link PieceStore.look}.
   */
  confirm(): Promise<void>;
  /** What is wrong with the wanted files that aren't complete, in words, each with its path. */
  describeLack(): Promise<string[]>;
  /** Files that are longer than they should be, in words: what is behind their end stays. */
  readonly oversize: readonly string[];
  /** Claims every piece whose files are there in full, without looking into them. */
  trust(): Promise<void>;
  /** Tries again after `failed`; rejects when the disk still refuses. */
  retry(): Promise<void>;
  /** Verified bytes of file `index`. */
  fileProgress(index: number): number;
  /** Resolves when everything written so far is on disk and its claims are committed. */
  flush(): Promise<void>;
  /** Flushes what is verified, closes files, returns memory. */
  close(): Promise<void>;
}
