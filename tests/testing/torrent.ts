/** Torrents for tests, and the bytes behind them. @module */
import { buildInfo, encodeMetainfo, parseMetainfo, sha1 } from "../../core/wire/mod.ts";
import type { MemoryHost } from "../../core/host/memory/mod.ts";

/** A torrent for tests, and the bytes behind it. */
export interface SimTorrent {
  /** The .torrent file. */
  readonly bytes: Uint8Array;
  /** What it describes, all files one after the other. */
  readonly data: Uint8Array;
  /** 40 hex digits; what commands call the swarm. */
  readonly id: string;
  readonly name: string;
  /** Path below the save folder, and bytes of each file. */
  readonly files: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** What {@link makeTorrent} makes; all of it may be left out. */
export interface TorrentOptions {
  readonly name?: string;
  /** Bytes. */
  readonly pieceLength?: number;
  /** Bytes of a torrent of one file; 1,000,000 if not given. */
  readonly length?: number;
  /** Bytes of each file, for several. */
  readonly files?: readonly number[];
  readonly private?: boolean;
  /** Announce URLs, tier by tier. */
  readonly trackers?: readonly (readonly string[])[];
  /** URLs that serve the files (BEP 19). */
  readonly webSeeds?: readonly string[];
  /** Other seeds give other bytes, and so another info-hash. */
  readonly seed?: number;
}

/**
 * Makes a torrent of pseudo-random bytes: one file, or several.
 *
 * ```ts
 * import { makeTorrent } from "weft/testing";
 * import assert from "node:assert/strict";
 *
 * const torrent = makeTorrent({ length: 200_000, private: true });
 * assert.equal(torrent.data.length, 200_000);
 * ```
 */
export function makeTorrent(options: TorrentOptions = {}): SimTorrent {
  const { name = "sample", pieceLength = 64 * 1024, files, trackers = [] } = options;
  const length = files?.reduce((sum, each) => sum + each, 0) ?? options.length ?? 1_000_000;
  const data = noise(length, options.seed ?? 1);
  const pieces = new Uint8Array(Math.ceil(length / pieceLength) * 20);
  for (let i = 0; i * pieceLength < length; i++) {
    pieces.set(sha1(data.subarray(i * pieceLength, (i + 1) * pieceLength)), i * 20);
  }
  const info = buildInfo({
    name,
    pieceLength,
    pieces,
    ...(files ? { files: files.map((each, i) => ({ path: [`f${i}`], length: each })) } : { length }),
    private: options.private,
  });
  const bytes = encodeMetainfo({ info, announce: trackers, webSeeds: options.webSeeds });
  let at = 0;
  const parts = (files ?? [length]).map((each, i) => ({
    path: files ? `${name}/f${i}` : name,
    data: data.subarray(at, at += each),
  }));
  return { bytes, data, id: parseMetainfo(bytes).info.id.key, name, files: parts };
}

/** Bytes that look random and are always the same for a seed. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = seed * 0x9e3779b9 >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x;
  }
  return bytes;
}

/** Puts a torrent's files below `folder`. */
export async function writeFiles(host: MemoryHost, torrent: SimTorrent, folder = "/data"): Promise<void> {
  for (const { path, data } of torrent.files) {
    await host.disk.makeDirectory(`${folder}/${path}`.replace(/\/[^/]*$/, ""));
    await host.disk.writeFile(`${folder}/${path}`, data);
  }
}
