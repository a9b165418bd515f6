import type { Payload } from "./lab.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Files of every awkward kind: empty, shorter than a piece, with names beyond ASCII, deep down. */
const awkward = [
  { path: "a short one.txt", size: 100 },
  { path: "deep/deeper/deepest/data.bin", size: 1500 * KiB + 7 },
  { path: "deep/empty", size: 0 },
  { path: "deep/next.bin", size: 64 * KiB },
  { path: "naïve — 東京/ファイル 😀.bin", size: 700 * KiB + 1 },
  { path: "z/last.bin", size: 130 * KiB + 3 },
];

/** One file whose last piece is short. */
export const single: Payload = {
  name: "single.bin",
  files: [{ path: "", size: 3 * MiB + 12_345 }],
  pieceLength: 64 * KiB,
};
/** Many files, none aligned to a piece. */
export const tree: Payload = { name: "tree", files: awkward, pieceLength: 64 * KiB };
/** The same files, each aligned to a piece with a pad file (BEP 47). */
export const padded: Payload = { name: "padded", files: awkward, pieceLength: 64 * KiB, pads: true };
/** A private torrent (BEP 27). */
export const secret: Payload = { name: "private", files: awkward, pieceLength: 64 * KiB, private: true };
/** Enough to keep a pipeline busy. */
export const large: Payload = { name: "large.bin", files: [{ path: "", size: 64 * MiB }], pieceLength: MiB };
