/** What a swarm's source (a .torrent or a magnet) says of it. @module */
import { CommandError } from "../api/mod.ts";
import type { NamedSource } from "../swarm/mod.ts";
import { type Info, parseMagnet, parseMetainfo, ProtocolError, type TorrentId } from "../wire/mod.ts";

export interface SourceDescription {
  readonly id: TorrentId;
  readonly name: string;
  /** Undefined for a magnet. */
  readonly info?: Info;
  readonly tiers: readonly (readonly string[])[];
  /** Sources of blocks that are no peers. */
  readonly sources: readonly NamedSource[];
  /** Peers that it names, as `host:port`. */
  readonly peers: readonly string[];
  /** DHT nodes that it names, as `host:port`. */
  readonly nodes: readonly string[];
  /** File indexes that it selects (BEP 53). */
  readonly select?: readonly number[];
}

// A magnet's ranges could name more files than any torrent has.
const MAX_SELECTED = 100_000;

/** @throws {CommandError} when the source can't be understood */
export function describeSource(source: Uint8Array | string): SourceDescription {
  try {
    return typeof source === "string" ? fromMagnet(source) : fromTorrent(source);
  } catch (error) {
    if (error instanceof ProtocolError) throw new CommandError(error.message);
    throw error;
  }
}

function fromTorrent(bytes: Uint8Array): SourceDescription {
  const { info, announce, nodes, webSeeds } = parseMetainfo(bytes);
  return {
    id: info.id,
    name: info.name,
    info,
    tiers: announce,
    sources: webSeeds.map(webSeed),
    peers: [],
    nodes: nodes.map(hostPortText),
  };
}

function fromMagnet(text: string): SourceDescription {
  const { id, name, trackers, peers, select, webSeeds } = parseMagnet(text);
  const indexes: number[] = [];
  for (const [from, to] of select ?? []) {
    for (let index = from; index <= to && indexes.length < MAX_SELECTED; index++) indexes.push(index);
  }
  return {
    id,
    name: name ?? id.hex,
    // A magnet's trackers are all asked: it has no tiers.
    tiers: trackers.map((url) => [url]),
    sources: webSeeds.map(webSeed),
    peers,
    nodes: [],
    select: select && indexes,
  };
}

function webSeed(url: string): NamedSource {
  return { url, kind: "url-list" };
}

function hostPortText({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
