/**
 * The tracker itself: who is in which swarm, and whom to tell of whom (BEP 3, 7, 21, 31, 48). A pure machine: it is
 * given requests that were read already and the time, and it answers.
 *
 * @module
 */
import { type Random, toHex } from "weft";
import { AddressCounts, AddressRates, BUDGET_SECRET_BYTES } from "./address_budget.ts";
import { LEECHER, packAddress, type PackedAddress, PARTIAL, PeerTable, type Role, SEED } from "./peer_table.ts";
import { selectPeers } from "./select_peers.ts";
import { NONE } from "./slot_index.ts";

/** How a tracker serves. Times are milliseconds. */
export interface TrackerSettings {
  /** How often peers should announce. */
  readonly interval: number;
  /** How soon they may announce again at the earliest. */
  readonly minInterval: number;
  /** Most peers in all swarms together; when there are more, those seen longest ago are forgotten. */
  readonly maxPeers: number;
  /** Most peers in one answer. */
  readonly maxWanted: number;
  /** Most peers of one address, in all swarms together. */
  readonly peersPerAddress: number;
  /** Announces and scrapes of one address. */
  readonly requestsPerSecond: number;
  /** Info-hashes (hex) of the swarms that are served; all if not given. */
  readonly allow?: ReadonlySet<string>;
}

/** One announce. */
export interface Announce {
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Where it came from: 4 or 16 bytes. What a peer says of its address is not believed: it could name a victim. */
  readonly ip: Uint8Array;
  /** 0 for a peer that accepts no connections: it is answered, and nobody is told of it. */
  readonly port: number;
  /** It has everything. */
  readonly complete: boolean;
  readonly event?: "started" | "stopped" | "completed" | "paused";
  /** How many peers it wants; undefined leaves it to the tracker. */
  readonly wanted?: number;
  readonly key?: number;
  /** An asker with IPv6 is told of IPv4 peers too, where the answer has room for both. */
  readonly bothFamilies: boolean;
  /** It wants to know the ids of the peers. */
  readonly ids: boolean;
}

/** How many are in a swarm. */
export interface SwarmFigures {
  readonly seeds: number;
  /** All that are no seeds, partial ones too (BEP 21). */
  readonly leechers: number;
  /** Those that still download. */
  readonly downloaders: number;
  /** Downloads that were completed, as peers said. */
  readonly downloads: number;
}

/** The answer to an announce. Times are seconds, as both protocols have them. */
export interface Answer extends SwarmFigures {
  readonly interval: number;
  readonly minInterval: number;
  /** Compact lists (BEP 23, BEP 7). */
  readonly peers: Uint8Array;
  readonly peers6: Uint8Array;
  /** Their ids, 20 bytes each, first of `peers`, then of `peers6`; empty unless asked for. */
  readonly ids: Uint8Array;
}

/** What a tracker does not do for somebody, and why; `retry` is BEP 31's: minutes, or never. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(message: string, readonly retry?: number | "never") {
    super(message);
  }
}

/** What happened since the start, and what there is. */
export interface TrackerStatistics {
  readonly swarms: number;
  readonly peers: number;
  readonly seeds: number;
  readonly partialSeeds: number;
  readonly leechers: number;
  readonly announces: number;
  readonly scrapes: number;
  readonly refused: number;
  /** Peers that were forgotten, since they announced no more, and since there was no room. */
  readonly expired: number;
  readonly displaced: number;
}

// Peers that don't say how many they want get so many: BEP 3's own figure.
const DEFAULT_WANTED = 50;
// Intervals differ by so much either way, so that those who came together don't come back together.
const JITTER = 0.1;
// A peer that missed an announce may still come; one that missed two won't.
const MISSED = 2;
// Peers that expire are removed as others announce, a few each time, and the rest when nothing else is due.
const EXPIRED_PER_ANNOUNCE = 4;
const TABLE_SECRET_BYTES = 28;
// A clock may start at 0: what was seen before its start must have a time too (s). Longer than any peer is kept.
const BEFORE_START = 10 * 86_400;
const NOTHING = new Uint8Array();
const NOBODY: SwarmFigures = { seeds: 0, leechers: 0, downloaders: 0, downloads: 0 };

export class Tracker {
  readonly table: PeerTable;
  readonly settings: TrackerSettings;
  readonly #random: Random;
  readonly #perAddress: AddressCounts;
  readonly #rates: AddressRates;
  readonly #counted = { announces: 0, scrapes: 0, refused: 0, expired: 0, displaced: 0 };

  constructor(settings: TrackerSettings, random: Random) {
    this.settings = settings;
    this.#random = random;
    this.table = new PeerTable(settings.maxPeers, random.bytes(TABLE_SECRET_BYTES));
    this.#perAddress = new AddressCounts(random.bytes(BUDGET_SECRET_BYTES));
    this.#rates = new AddressRates(settings.requestsPerSecond, random.bytes(BUDGET_SECRET_BYTES));
  }

  /**
   * Takes an announce.
   *
   * @throws {Refusal} when the swarm isn't served, or the address has used up what it may use
   */
  announce(now: number, request: Announce): Answer {
    this.#counted.announces++;
    this.expire(now, EXPIRED_PER_ANNOUNCE);
    const address = packAddress(request.ip, request.port);
    this.#charge(now, address);
    if (!this.serves(request.infoHash)) throw this.#refusal("this tracker does not serve that torrent", "never");
    const peer = this.#update(now, request, address);
    const swarm = this.table.findSwarm(request.infoHash);
    const told = request.event === "stopped" ? NOTHING_TOLD : this.#tell(swarm, peer, address, request);
    const { interval, minInterval } = this.settings;
    const spread = 1 + JITTER * (this.#random.below(2_001) / 1_000 - 1);
    return {
      interval: Math.max(1, Math.round(interval * spread / 1_000)),
      minInterval: Math.ceil(minInterval / 1_000),
      ...this.#figures(swarm),
      ...told,
    };
  }

  /**
   * Figures of swarms in the order of their info-hashes (20 bytes each); undefined for those without a peer.
   *
   * @throws {Refusal} when the address has used up what it may use
   */
  scrape(now: number, ip: Uint8Array, infoHashes: readonly Uint8Array[]): readonly (SwarmFigures | undefined)[] {
    this.#counted.scrapes++;
    this.#charge(now, packAddress(ip, 0));
    return infoHashes.map((infoHash) => {
      const swarm = this.table.findSwarm(infoHash);
      return swarm === NONE ? undefined : this.#figures(swarm);
    });
  }

  /** Forgets at most `most` of the peers that announced no more; returns how many it forgot. */
  expire(now: number, most: number): number {
    const { table } = this;
    const last = secondsOf(now) - Math.ceil(this.settings.interval * (1 + JITTER) * MISSED / 1_000);
    let count = 0;
    while (count < most && table.oldest !== NONE && table.seen(table.oldest) < last) {
      this.#drop(table.oldest);
      count++;
    }
    this.#counted.expired += count;
    return count;
  }

  /** Whether a swarm is on the list, or there is no list. */
  serves(infoHash: Uint8Array): boolean {
    const { allow } = this.settings;
    return allow === undefined || allow.has(toHex(infoHash));
  }

  statistics(): TrackerStatistics {
    const { table } = this;
    return {
      swarms: table.swarms,
      peers: table.peers,
      seeds: table.inRole(SEED),
      partialSeeds: table.inRole(PARTIAL),
      leechers: table.inRole(LEECHER),
      ...this.#counted,
    };
  }

  /** Puts a peer where it was in another tracker's table; nothing happens when there is no room. */
  restore(
    now: number,
    infoHash: Uint8Array,
    address: PackedAddress,
    { role, age, completed, downloads, peerId, key }: KnownPeer,
  ): void {
    const { table } = this;
    if (table.peers === table.capacity || !this.serves(infoHash)) return;
    const peer = table.add(infoHash, address, { role, seen: secondsOf(now) - age });
    this.#perAddress.add(address);
    table.identify(peer, peerId, key);
    if (completed) table.setCompleted(peer);
    table.setDownloads(table.swarmOf(peer), downloads);
  }

  /** Writes down what the peer said of itself; the peer, or NONE when nobody is to be told of it. */
  #update(
    now: number,
    { infoHash, peerId, port, complete, event, key = 0 }: Announce,
    address: PackedAddress,
  ): number {
    const { table } = this;
    const swarm = table.findSwarm(infoHash);
    const known = swarm === NONE ? NONE : table.find(swarm, address);
    if (event === "stopped") {
      // A late word of a client that was replaced at its port by another one says nothing of that.
      const same = known !== NONE && (table.key(known) === key || sameBytes(table.peerId(known), peerId));
      if (same) this.#drop(known);
      return NONE;
    }
    if (port === 0) return NONE;
    const role: Role = complete ? SEED : event === "paused" ? PARTIAL : LEECHER;
    let peer = known;
    if (known === NONE) {
      peer = this.#add(now, infoHash, address, role);
    } else {
      table.setRole(known, role);
      table.touch(known, secondsOf(now));
    }
    table.identify(peer, peerId, key);
    if (event === "completed" && !table.hasCompleted(peer)) {
      table.setCompleted(peer);
      table.setDownloads(table.swarmOf(peer), table.downloads(table.swarmOf(peer)) + 1);
    }
    return peer;
  }

  #add(now: number, infoHash: Uint8Array, address: PackedAddress, role: Role): number {
    const { table } = this;
    if (this.#perAddress.of(address) >= this.settings.peersPerAddress) {
      throw this.#refusal(`more than ${this.settings.peersPerAddress} peers at your address`);
    }
    if (table.peers === table.capacity) {
      this.#drop(table.oldest);
      this.#counted.displaced++;
    }
    this.#perAddress.add(address);
    return table.add(infoHash, address, { role, seen: secondsOf(now) });
  }

  #drop(peer: number): void {
    this.#perAddress.remove(this.table.address(peer));
    this.table.remove(peer);
  }

  #tell(swarm: number, peer: number, { six }: PackedAddress, request: Announce): Told {
    const wanted = Math.min(request.wanted ?? DEFAULT_WANTED, this.settings.maxWanted);
    if (swarm === NONE || wanted === 0) return NOTHING_TOLD;
    const uploads = request.complete || request.event === "paused";
    const families = six && request.bothFamilies ? [false, true] : [six];
    const [fours, sixes] = selectPeers(this.table, this.#random, { swarm, asker: peer, uploads, families, wanted });
    return {
      peers: this.#compact(fours, 6),
      peers6: this.#compact(sixes, 18),
      ids: request.ids ? this.#ids([...fours, ...sixes]) : NOTHING,
    };
  }

  #compact(peers: readonly number[], length: number): Uint8Array {
    const bytes = new Uint8Array(peers.length * length);
    let at = 0;
    for (const peer of peers) at = this.table.writeCompact(peer, bytes, at);
    return bytes;
  }

  #ids(peers: readonly number[]): Uint8Array {
    const bytes = new Uint8Array(peers.length * 20);
    peers.forEach((peer, i) => bytes.set(this.table.peerId(peer), i * 20));
    return bytes;
  }

  #figures(swarm: number): SwarmFigures {
    if (swarm === NONE) return NOBODY;
    const { table } = this;
    const downloaders = table.leechers(swarm, false) + table.leechers(swarm, true);
    const partials = table.partials(swarm);
    const seeds = table.uploaders(swarm, false) + table.uploaders(swarm, true) - partials;
    return { seeds, leechers: downloaders + partials, downloaders, downloads: table.downloads(swarm) };
  }

  #charge(now: number, address: PackedAddress): void {
    if (!this.#rates.take(now, address)) throw this.#refusal("too many requests from your address", 1);
  }

  #refusal(message: string, retry?: number | "never"): Refusal {
    this.#counted.refused++;
    return new Refusal(message, retry);
  }
}

/** What is known of a peer besides its address. */
export interface KnownPeer {
  readonly role: Role;
  /** Seconds since it was seen. */
  readonly age: number;
  readonly completed: boolean;
  /** Downloads of its swarm. */
  readonly downloads: number;
  readonly peerId: Uint8Array;
  readonly key: number;
}

type Told = Pick<Answer, "peers" | "peers6" | "ids">;
const NOTHING_TOLD: Told = { peers: NOTHING, peers6: NOTHING, ids: NOTHING };

/** A time of the clock (ms) in the table's seconds. */
export function secondsOf(now: number): number {
  return Math.floor(now / 1_000) + BEFORE_START;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}
