// The info dictionary of a torrent: BEP 3, 27 (private), 47 (pad files, attributes), hybrids of BEP 52.
import { type DictSpan, scan, type Span } from "./bencode.ts";
import { sha1, sha256 } from "./digest.ts";
import { bytes, fault, integer, list, requiredInteger, text, texts } from "./fields.ts";
import { byteString, utf8Encode, withoutUndefined } from "./text.ts";
import { InfoHash, type TorrentId, torrentId } from "./torrent_id.ts";

/** One file of a torrent. */
export interface FileEntry {
  /** Parts of the path as the torrent has them: NOT safe to open, that is for the store's resolver. */
  readonly path: readonly string[];
  /** Bytes. */
  readonly length: number;
  /** Where it begins in the torrent's stream of bytes. */
  readonly offset: number;
  /** Zeros that only align the next file, never written to disk (BEP 47). */
  readonly pad: boolean;
  /** Letters of BEP 47: x executable, h hidden, l symlink, p pad. */
  readonly attributes: string;
  /** Target of a symlink, from the torrent's root; as unsafe as `path`. */
  readonly symlink?: readonly string[];
  /** Merkle root of the file in a hybrid, 32 bytes (BEP 52). */
  readonly root?: Uint8Array;
}

/** A checked info dictionary. Its byte arrays are views of what was parsed. */
export interface Info {
  readonly id: TorrentId;
  /** Name of the file or of the directory, as the torrent has it: not safe to open. */
  readonly name: string;
  /** Bytes in each piece but the last. */
  readonly pieceLength: number;
  readonly pieceCount: number;
  /** Bytes in all, pad files included. */
  readonly length: number;
  readonly files: readonly FileEntry[];
  /** Whether it had a list of files, which are saved below `name`. */
  readonly multi: boolean;
  /** Peers only from its trackers (BEP 27). */
  readonly private: boolean;
  /** SHA-1 hashes, 20 bytes a piece. */
  readonly pieces: Uint8Array;
  /** Tag that some private trackers add to make the hash their own. */
  readonly source?: string;
  /** The exact bytes of the dictionary. */
  readonly raw: Uint8Array;
  /** The SHA-1 of piece i, a view. Throws RangeError outside the range. */
  pieceHash(i: number): Uint8Array;
  /** Bytes of piece i: the last may be shorter. Throws RangeError outside the range. */
  pieceSize(i: number): number;
}

/** Largest torrent file, and so info dictionary, in bytes: it is held in memory. */
export const MAX_TORRENT_SIZE = 64 * 1024 * 1024;
/** Most pieces: 40 MiB of hashes, and a bitfield of 256 KiB per peer. */
export const MAX_PIECES = 2 ** 21;
/** Largest piece in bytes; a piece is the least that can be verified. */
export const MAX_PIECE_LENGTH = 512 * 1024 * 1024;

/** Checks an info dictionary from a torrent file or from peers (BEP 9). Throws ProtocolError that names the faulty key. */
export function parseInfo(raw: Uint8Array): Info {
  const span = scan(raw, { maxBytes: MAX_TORRENT_SIZE, strict: true });
  if (span.kind !== "dict") throw fault('"info" must be a dictionary');
  return readInfo(span, raw);
}

/**
 * Checks an info dictionary that is scanned already; `raw` are its bytes. `encoding` is that of names which are no UTF-8:
 * a torrent file may say it, beside the dictionary.
 */
export function readInfo(info: DictSpan, raw: Uint8Array, encoding?: string): Info {
  const hybrid = integer(info, "meta version") === 2;
  if (hybrid && !info.entries.has("pieces")) throw fault("v2-only torrents (BEP 52) are not supported yet");
  const pieceLength = requiredInteger(info, "piece length", 1, MAX_PIECE_LENGTH);
  const name = text(info, "name.utf-8") || text(info, "name", encoding);
  if (!name) throw fault('"name" must be text that is not empty');

  const multi = info.entries.get("files")?.kind === "list";
  const files = multi
    ? readFiles(info, encoding)
    : [readFile(info, [name], requiredInteger(info, "length", 0, Number.MAX_SAFE_INTEGER), 0)];
  const last = files[files.length - 1];
  const length = last.offset + last.length;
  const pieces = bytes(info, "pieces");
  if (!pieces || pieces.length % 20 !== 0) {
    throw fault(`"pieces" must be a multiple of 20 bytes, current length is ${pieces?.length}`);
  }
  const pieceCount = pieces.length / 20;
  if (pieceCount > MAX_PIECES) throw fault(`"pieces" must be at most ${MAX_PIECES}, current value is ${pieceCount}`);
  const expected = Math.ceil(length / pieceLength);
  if (pieceCount !== expected) {
    throw fault(`"pieces" must be ${expected} for ${length} bytes, current value is ${pieceCount}`);
  }
  const check = (i: number): void => {
    if (!(i >= 0 && i < pieceCount)) throw new RangeError(`Cannot find piece ${i} of ${pieceCount}`);
  };
  return withoutUndefined({
    id: torrentId({ v1: InfoHash.from(sha1(raw)), v2: hybrid ? sha256(raw) : undefined }),
    name,
    pieceLength,
    pieceCount,
    length,
    files: hybrid ? withRoots(files, info) : files,
    multi,
    private: integer(info, "private") === 1,
    pieces,
    source: text(info, "source"),
    raw,
    pieceHash(i: number): Uint8Array {
      check(i);
      return pieces.subarray(i * 20, i * 20 + 20);
    },
    pieceSize(i: number): number {
      check(i);
      return Math.min(pieceLength, length - i * pieceLength);
    },
  });
}

function readFiles(info: DictSpan, encoding?: string): FileEntry[] {
  const items = list(info, "files")!;
  if (items.length === 0) throw fault('"files" must not be empty');
  let offset = 0;
  return items.map((item, i) => {
    if (item.kind !== "dict") throw fault(`"files[${i}]" must be a dictionary`);
    const path = texts(item, "path.utf-8") ?? texts(item, "path", encoding);
    if (!path || path.length === 0) throw fault(`"files[${i}].path" must be a list of names`);
    const length = requiredInteger(item, "length", 0, Number.MAX_SAFE_INTEGER, `files[${i}].`);
    const file = readFile(item, path, length, offset);
    offset += file.length;
    if (!Number.isSafeInteger(offset)) throw fault(`"files" must not exceed ${Number.MAX_SAFE_INTEGER} bytes in all`);
    return file;
  });
}

function readFile(dict: DictSpan, path: string[], length: number, offset: number): FileEntry {
  const attributes = text(dict, "attr") ?? "";
  const symlink = attributes.includes("l") ? texts(dict, "symlink path") : undefined;
  return { path, length, offset, pad: attributes.includes("p"), attributes, ...(symlink && { symlink }) };
}

/** Adds the Merkle roots that the file tree of a hybrid gives for the same paths. */
function withRoots(files: FileEntry[], info: DictSpan): FileEntry[] {
  const tree = info.entries.get("file tree");
  return files.map((file) => {
    let node: Span | undefined = tree;
    for (const part of file.path) {
      node = node?.kind === "dict" ? node.entries.get(byteString(utf8Encode(part))) : undefined;
    }
    const leaf = node?.kind === "dict" ? node.entries.get("") : undefined;
    const root = leaf?.kind === "dict" ? bytes(leaf, "pieces root") : undefined;
    return root?.length === 32 && !file.pad ? { ...file, root } : file;
  });
}
