import { ProtocolError } from "./errors.ts";
import { base32Decode, bytesEqual, fromHex, quote, toHex } from "./text.ts";

/** 20 bytes that name a swarm on the wire: a SHA-1 (BEP 3), or a v2 hash cut to 20 bytes (BEP 52). */
export class InfoHash {
  /** Lower-case hex, 40 digits. */
  readonly hex: string;

  private constructor(readonly bytes: Uint8Array) {
    this.hex = toHex(bytes);
  }

  /** Takes a copy of 20 bytes. Throws ProtocolError on any other length. */
  static from(bytes: Uint8Array): InfoHash {
    if (bytes.length !== 20) {
      throw new ProtocolError(`Cannot read info-hash: length must be 20, current value is ${bytes.length}`);
    }
    return new InfoHash(bytes.slice());
  }

  /** Reads 40 hex digits or 32 base32 characters, in either case. Throws ProtocolError on anything else. */
  static parse(hexOrBase32: string): InfoHash {
    if (/^[0-9a-f]{40}$/i.test(hexOrBase32)) return new InfoHash(fromHex(hexOrBase32));
    if (/^[a-z2-7]{32}$/i.test(hexOrBase32)) return new InfoHash(base32Decode(hexOrBase32));
    throw new ProtocolError(
      `Cannot read info-hash: expected 40 hex or 32 base32 characters, current value is ${quote(hexOrBase32)}`,
    );
  }

  /** Whether both name the same swarm. */
  equals(other: InfoHash): boolean {
    return bytesEqual(this.bytes, other.bytes);
  }

  /** The hex form. */
  toString(): string {
    return this.hex;
  }
}

/** What identifies a torrent: its v1 hash, its v2 hash (BEP 52), or both when it is a hybrid. */
export interface TorrentId {
  /** SHA-1 of the info dictionary. */
  readonly v1?: InfoHash;
  /** SHA-256 of the info dictionary, 32 bytes. */
  readonly v2?: Uint8Array;
  /** The names that peers and trackers may use: v1, and v2 cut to 20 bytes. All lead to one swarm. */
  readonly wireIds: readonly InfoHash[];
  /** 40 hex digits, for maps and the database: v1, else the first 20 bytes of v2. */
  readonly key: string;
  /** For people: v1 in hex, else the whole of v2. */
  readonly hex: string;
}

/** Builds the identity from at least one of its hashes. Throws ProtocolError when v2 isn't 32 bytes or both are missing. */
export function torrentId({ v1, v2 }: { v1?: InfoHash; v2?: Uint8Array }): TorrentId {
  if (v2 && v2.length !== 32) {
    throw new ProtocolError(`Cannot read v2 info-hash: length must be 32, current value is ${v2.length}`);
  }
  const wireIds = [v1, v2 && InfoHash.from(v2.subarray(0, 20))].filter((id) => id !== undefined);
  if (wireIds.length === 0) throw new ProtocolError("Cannot identify torrent: expected a v1 or v2 info-hash");
  return {
    ...(v1 && { v1 }),
    ...(v2 && { v2: v2.slice() }),
    wireIds,
    key: wireIds[0].hex,
    hex: v1?.hex ?? toHex(v2!),
  };
}
