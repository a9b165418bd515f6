/** A torrent's bytes from its parts. @module */
import { buildInfo, encodeMetainfo } from "../wire/mod.ts";
import type { ListedFile } from "./files.ts";

/** Smallest piece length, in bytes: below a block, hashes would outweigh what they protect. */
export const MIN_PIECE_LENGTH = 16 * 1024;
/** Largest piece length that is chosen unasked, in bytes: a piece is the least that can be verified and passed on. */
const MAX_CHOSEN_PIECE_LENGTH = 16 * 1024 * 1024;
/** A torrent has at most this many pieces where the lengths allow: few enough for small torrent files. */
const AIMED_PIECES = 2000;

/** What {@link buildTorrent} writes. Lengths are bytes, `creationDate` seconds since 1970. */
export interface TorrentParts {
  readonly name: string;
  readonly files: readonly ListedFile[];
  /** The files stand in a folder called `name`. */
  readonly multi: boolean;
  readonly pieceLength: number;
  /** SHA-1 hashes, 20 bytes a piece. */
  readonly pieces: Uint8Array;
  /** Announce URLs, each a tier. */
  readonly trackers: readonly string[];
  readonly webSeeds: readonly string[];
  readonly private: boolean;
  readonly comment?: string;
  readonly source?: string;
  readonly createdBy: string;
  readonly creationDate: number;
}

/** The bytes of a .torrent file. */
export function buildTorrent(parts: TorrentParts): Uint8Array {
  const { name, files, multi, pieceLength, pieces, source } = parts;
  const info = buildInfo({
    name,
    pieceLength,
    pieces,
    private: parts.private,
    ...(source !== undefined && { source }),
    ...(multi ? { files: files.map(({ path, length }) => ({ path, length })) } : { length: files[0].length }),
  });
  return encodeMetainfo({
    info,
    announce: parts.trackers.map((url) => [url]),
    webSeeds: parts.webSeeds,
    createdBy: parts.createdBy,
    creationDate: parts.creationDate,
    ...(parts.comment !== undefined && { comment: parts.comment }),
  });
}

/** A piece length for `length` bytes: the smallest power of two that gives at most 2,000 pieces, 16 KiB to 16 MiB. */
export function choosePieceLength(length: number): number {
  let pieceLength = MIN_PIECE_LENGTH;
  while (length > pieceLength * AIMED_PIECES && pieceLength < MAX_CHOSEN_PIECE_LENGTH) pieceLength *= 2;
  return pieceLength;
}
