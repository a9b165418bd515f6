/** What a command is to work on: a .torrent file or a magnet link. @module */
import { CommandError, DiskError } from "../api/mod.ts";
import {
  isMagnet,
  type Magnet,
  MAX_TORRENT_SIZE,
  type Metainfo,
  parseMagnet,
  parseMetainfo,
  ProtocolError,
} from "../wire/mod.ts";
import { type Environment, usageError } from "./environment.ts";
import { resolvePath } from "../config/mod.ts";

/** A torrent as the user named it: `source` is what a runtime is given. */
export type TorrentSource =
  | { readonly kind: "torrent"; readonly source: Uint8Array; readonly key: string; readonly metainfo: Metainfo }
  | { readonly kind: "magnet"; readonly source: string; readonly key: string; readonly magnet: Magnet };

/**
 * Reads a .torrent file or a magnet link.
 *
 * @throws {ConfigError} when it is neither
 * @throws {CommandError} when the file holds no torrent
 * @throws {ProtocolError} when the magnet link is wrong
 */
export async function readSource({ host, cwd }: Environment, text: string): Promise<TorrentSource> {
  if (isMagnet(text)) {
    const magnet = parseMagnet(text);
    return { kind: "magnet", source: text, key: magnet.id.key, magnet };
  }
  if (/^[a-z]+:\/\//i.test(text)) {
    throw usageError(`"${text}" is a URL: expected a .torrent file or a magnet link`);
  }
  try {
    const source = await host.disk.readFile(resolvePath(cwd, text), { maxBytes: MAX_TORRENT_SIZE });
    const metainfo = parseMetainfo(source);
    return { kind: "torrent", source, key: metainfo.info.id.key, metainfo };
  } catch (cause) {
    if (cause instanceof DiskError && cause.fault === "notFound") {
      throw usageError(`There is no file "${text}": expected a .torrent file or a magnet link`);
    }
    if (cause instanceof ProtocolError) {
      throw new CommandError(`"${text}" is no good torrent: ${cause.message}`, { cause });
    }
    throw cause;
  }
}
