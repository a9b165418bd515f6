/** Whom to tell of whom. @module */
import type { Random } from "weft";
import { LEECHER, type PeerTable } from "./peer_table.ts";
import { NONE } from "./slot_index.ts";

/** Who asks, and for what. */
export interface Selection {
  readonly swarm: number;
  /** The asker, who is not told of itself; NONE when it is in no list. */
  readonly asker: number;
  /** It wants nothing itself: only those who download are of use to it. */
  readonly uploads: boolean;
  /** The families that it is told of; true is IPv6. */
  readonly families: readonly boolean[];
  readonly wanted: number;
}

interface Source {
  readonly six: boolean;
  readonly uploads: boolean;
  /** Peers in it, without the asker. */
  readonly count: number;
  share: number;
}

/**
 * Peers at random: those who download, and for one who downloads also those who upload, in proportion to how many there
 * are of each. IPv4 and IPv6 ones.
 */
export function selectPeers(
  table: PeerTable,
  random: Random,
  { swarm, asker, uploads, families, wanted }: Selection,
): [number[], number[]] {
  const sources: Source[] = [];
  for (const useful of uploads ? [false] : [true, false]) {
    for (const six of families) {
      const own = asker !== NONE && table.isSix(asker) === six && (table.role(asker) !== LEECHER) === useful;
      sources.push({ six, uploads: useful, count: sizeOf(table, swarm, six, useful) - Number(own), share: 0 });
    }
  }
  divide(sources, wanted);
  const chosen: [number[], number[]] = [[], []];
  for (const { six, uploads, share } of sources) {
    const into = chosen[Number(six)];
    const size = sizeOf(table, swarm, six, uploads);
    const step = stepFor(random, size);
    let position = size === 0 ? 0 : random.below(size);
    for (let left = share; left > 0; position = (position + step) % size) {
      const peer = table.member(swarm, six, uploads, position);
      if (peer === asker) continue;
      into.push(peer);
      left--;
    }
  }
  return chosen;
}

function sizeOf(table: PeerTable, swarm: number, six: boolean, uploads: boolean): number {
  return uploads ? table.uploaders(swarm, six) : table.leechers(swarm, six);
}

/** Divides what is wanted among lists: one of each that has any, the rest by their lengths. */
function divide(sources: readonly Source[], wanted: number): void {
  let left = wanted;
  const give = (source: Source, share: number): void => {
    const given = Math.min(source.count - source.share, share, left);
    source.share += given;
    left -= given;
  };
  const all = sources.reduce((sum, { count }) => sum + count, 0);
  for (const source of sources) give(source, 1);
  const rest = left;
  for (const source of sources) give(source, Math.floor(rest * source.count / Math.max(1, all)));
  for (const source of sources) give(source, left); // what rounding left over
}

/** A step that chance chose, which meets every position below `size` once before it meets one again. */
function stepFor(random: Random, size: number): number {
  if (size <= 2) return 1;
  for (;;) {
    const step = 1 + random.below(size - 1);
    if (divisor(step, size) === 1) return step;
  }
}

function divisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
