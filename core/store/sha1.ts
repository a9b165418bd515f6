import { bytesEqual, createSha1, type Info } from "../wire/mod.ts";
import type { Layout } from "./types.ts";

/** The layout of a v1 torrent: each piece is right when its SHA-1 is the one in `pieces` (BEP 3). */
export function sha1Layout(info: Info): Layout {
  return {
    name: info.name,
    multi: info.multi,
    files: info.files,
    pieceLength: info.pieceLength,
    pieceCount: info.pieceCount,
    length: info.length,
    pieceSize: (piece) => info.pieceSize(piece),
    verifier: (piece) => {
      const hasher = createSha1();
      return {
        update: (bytes) => hasher.update(bytes),
        finish: () => bytesEqual(hasher.digest(), info.pieceHash(piece)),
      };
    },
    digest: (piece) => ({ algorithm: "sha1", expected: info.pieceHash(piece) }),
  };
}
