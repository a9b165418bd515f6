/** What tests of the tracker start from. @module */
import { decodePeers4, decodePeers6, parseIp, type Random, utf8Encode } from "weft";
import { type Announce, type Answer, Tracker, type TrackerSettings } from "./tracker.ts";

/** A minute, in milliseconds. */
export const MINUTE = 60_000;

/** Numbers that follow from a seed (xorshift). */
export function seeded(seed = 1): Random {
  let state = seed * 0x9e3779b1 | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
    below: (bound) => next() % bound,
  };
}

/** A tracker of the usual settings, but for `changes`. */
export function testTracker(changes: Partial<TrackerSettings> = {}, seed = 1): Tracker {
  return new Tracker({
    interval: 30 * MINUTE,
    minInterval: MINUTE,
    maxPeers: 1_000,
    maxWanted: 200,
    peersPerAddress: 1_000,
    requestsPerSecond: 1_000,
    ...changes,
  }, seeded(seed));
}

/** 20 bytes, all the same. */
export function hashOf(n: number): Uint8Array {
  return new Uint8Array(20).fill(n);
}

/** An announce of a leecher at `ip`, but for `changes`. */
export function announceOf(ip: string, changes: Partial<Announce> = {}): Announce {
  return {
    infoHash: hashOf(1),
    peerId: utf8Encode(`-XX-${ip}`.padEnd(20, "-").slice(0, 20)),
    ip: parseIp(ip)!.bytes,
    port: 6881,
    complete: false,
    bothFamilies: true,
    ids: false,
    ...changes,
  };
}

/** The addresses in an answer. */
export function peersOf({ peers, peers6 }: Pick<Answer, "peers" | "peers6">): string[] {
  return [...decodePeers4(peers), ...decodePeers6(peers6)].map(({ key }) => key);
}
