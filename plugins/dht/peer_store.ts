/** The peers that others announced to us (BEP 5), within limits. @module */
import { holderOf, type PeerAddress, peerAddress, type Random } from "weft";
import { addToBloom, BLOOM_LENGTH } from "./bloom.ts";
import type { NodeId } from "./node_id.ts";

// Peers announce every 15 minutes or so; who missed two is gone (ms).
const LIFETIME = 30 * 60_000;
// What strangers may make us remember: about 10 MB in all.
const MAX_SWARMS = 2_000;
const MAX_PEERS_PER_SWARM = 500;
const MAX_PEERS = 30_000;
// A seedbox has more torrents than this, but other nodes have room for them; one address must not fill the store.
const MAX_PER_HOLDER = 100;
// When swarms are too many, the one with the fewest peers among so many of the oldest makes room.
const EVICTION_CHOICE = 16;
// BEP 51: the same samples are given for so long (ms), so that asking us often gets nobody more.
const SAMPLE_INTERVAL = 5 * 60_000;
const MAX_SAMPLES = 20;

interface Stored {
  readonly address: PeerAddress;
  seed: boolean;
  at: number;
}

/** A peer as plain data: info-hash, IP, port, whether it is a seed, and its age in milliseconds. */
export type SavedPeer = readonly [infoHash: NodeId, ip: string, port: number, seed: boolean, age: number];

export class PeerStore {
  readonly #random: Random;
  /** The swarm that was announced last at the end, and so for the peers of each. */
  readonly #swarms = new Map<NodeId, Map<string, Stored>>();
  readonly #holders = new Map<string, number>();
  #peers = 0;
  #samples: NodeId[] = [];
  #sampled = -Infinity;

  constructor(random: Random) {
    this.#random = random;
  }

  /** How many info-hashes are known. */
  get swarms(): number {
    return this.#swarms.size;
  }

  /** How many peers are known. */
  get size(): number {
    return this.#peers;
  }

  /** A peer announced itself; returns whether there was room for it. */
  announce(now: number, infoHash: NodeId, address: PeerAddress, seed: boolean): boolean {
    const known = this.#swarms.get(infoHash)?.get(address.key);
    if (!known && !this.#makeRoom(infoHash, address)) return false;
    const swarm = this.#swarms.get(infoHash) ?? new Map<string, Stored>();
    this.#swarms.delete(infoHash);
    this.#swarms.set(infoHash, swarm);
    swarm.delete(address.key);
    swarm.set(address.key, { address, seed, at: now });
    if (!known) this.#count(address, 1);
    return true;
  }

  /** Some peers of a swarm, chosen at random: those of one family, without seeds if `noseed`. */
  peers(now: number, infoHash: NodeId, family: 4 | 6, most: number, noseed = false): PeerAddress[] {
    const found = this.#fresh(now, infoHash)
      .filter(({ address, seed }) => address.family === family && !(noseed && seed))
      .map(({ address }) => address);
    for (let i = 0; i < found.length && i < most; i++) {
      const j = i + this.#random.below(found.length - i);
      [found[i], found[j]] = [found[j], found[i]];
    }
    return found.slice(0, most);
  }

  /** The bloom filters of a swarm (BEP 33); undefined for one that isn't known. */
  scrape(now: number, infoHash: NodeId): { seeds: Uint8Array; peers: Uint8Array } | undefined {
    const found = this.#fresh(now, infoHash);
    if (found.length === 0) return undefined;
    const filters = { seeds: new Uint8Array(BLOOM_LENGTH), peers: new Uint8Array(BLOOM_LENGTH) };
    for (const { address, seed } of found) addToBloom(seed ? filters.seeds : filters.peers, address.ip);
    return filters;
  }

  /** Some info-hashes (BEP 51), and for how many seconds they will stay these. */
  sample(now: number): { samples: NodeId[]; num: number; interval: number } {
    if (now - this.#sampled >= SAMPLE_INTERVAL || (this.#samples.length === 0 && this.#swarms.size > 0)) {
      const all = [...this.#swarms.keys()];
      for (let i = 0; i < all.length && i < MAX_SAMPLES; i++) {
        const j = i + this.#random.below(all.length - i);
        [all[i], all[j]] = [all[j], all[i]];
      }
      this.#samples = all.slice(0, MAX_SAMPLES);
      this.#sampled = now;
    }
    const interval = Math.ceil((this.#sampled + SAMPLE_INTERVAL - now) / 1000);
    return { samples: this.#samples, num: this.#swarms.size, interval };
  }

  /** Forgets who has not announced for a while. */
  expire(now: number): void {
    for (const [infoHash, swarm] of this.#swarms) {
      for (const [key, { address, at }] of swarm) {
        if (now - at < LIFETIME) break;
        swarm.delete(key);
        this.#count(address, -1);
      }
      if (swarm.size === 0) this.#swarms.delete(infoHash);
    }
  }

  /** Everything, as plain data. */
  save(now: number): SavedPeer[] {
    return [...this.#swarms].flatMap(([infoHash, swarm]) =>
      [...swarm.values()].map(({ address: { ip, port }, seed, at }) => [infoHash, ip, port, seed, now - at] as const)
    );
  }

  /** Takes what {@link save} gave. */
  restore(now: number, saved: readonly SavedPeer[]): void {
    for (const [infoHash, ip, port, seed, age] of saved) {
      this.announce(now - age, infoHash, peerAddress(ip, port), seed);
    }
  }

  #fresh(now: number, infoHash: NodeId): Stored[] {
    return [...this.#swarms.get(infoHash)?.values() ?? []].filter(({ at }) => now - at < LIFETIME);
  }

  #makeRoom(infoHash: NodeId, address: PeerAddress): boolean {
    if ((this.#holders.get(holderOf(address)) ?? 0) >= MAX_PER_HOLDER) return false;
    const swarm = this.#swarms.get(infoHash);
    if (swarm && swarm.size >= MAX_PEERS_PER_SWARM) {
      const [[key, oldest]] = swarm;
      swarm.delete(key);
      this.#count(oldest.address, -1);
    }
    if (this.#peers >= MAX_PEERS || (!swarm && this.#swarms.size >= MAX_SWARMS)) {
      this.#evict(infoHash);
    }
    return this.#peers < MAX_PEERS;
  }

  #evict(spared: NodeId): void {
    let victim: [NodeId, Map<string, Stored>] | undefined;
    let looked = 0;
    for (const each of this.#swarms) {
      if (each[0] !== spared && (!victim || each[1].size < victim[1].size)) victim = each;
      if (++looked === EVICTION_CHOICE) break;
    }
    if (!victim) return;
    this.#swarms.delete(victim[0]);
    for (const { address } of victim[1].values()) this.#count(address, -1);
  }

  #count(address: PeerAddress, more: number): void {
    this.#peers += more;
    const holder = holderOf(address);
    const count = (this.#holders.get(holder) ?? 0) + more;
    if (count > 0) this.#holders.set(holder, count);
    else this.#holders.delete(holder);
  }
}
