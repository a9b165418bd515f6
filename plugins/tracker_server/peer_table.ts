/**
 * The peers of all swarms, in typed arrays: about 90 bytes a peer and 55 a swarm, no object for either, so that a
 * million of them cost the garbage collector nothing. What is set aside is touched only as it fills.
 *
 * A peer is an IP address and a port in a swarm. Each swarm has four lists, by family and by whether a peer only
 * uploads; a peer's place in its list is looked up by hash too, so that lists of any length need no memory of their own.
 *
 * @module
 */
import { FreeSlots, NONE, type Records, SlotIndex, WordHash } from "./slot_index.ts";

/** What a peer wants: pieces; nothing more although it has not all (BEP 21); nothing, since it has all. */
export const LEECHER = 0;
export const PARTIAL = 1;
export const SEED = 2;
/** {@link LEECHER}, {@link PARTIAL} or {@link SEED}. */
export type Role = 0 | 1 | 2;

/** An address in words: an IPv4 one stands in `d`. */
export interface PackedAddress {
  readonly six: boolean;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly port: number;
}

/** Packs 4 or 16 bytes of IP address, and a port. */
export function packAddress(ip: Uint8Array, port: number): PackedAddress {
  const word = (at: number): number => (ip[at] << 24 | ip[at + 1] << 16 | ip[at + 2] << 8 | ip[at + 3]) >>> 0;
  if (ip.length === 4) return { six: false, a: 0, b: 0, c: 0, d: word(0), port };
  return { six: true, a: word(0), b: word(4), c: word(8), d: word(12), port };
}

/** Bytes of a peer in a compact list (BEP 7, 23). */
export function compactLength(six: boolean): number {
  return six ? 18 : 6;
}

const HASH_LENGTH = 20;
const PEER_ID_LENGTH = 20;
const LISTS = 4;
// Words of a swarm's record: its info-hash, the lengths of its lists, and how it is found.
const [COUNTS, PARTIALS, DOWNLOADS, SWARM_LINK, SWARM_WORDS] = [5, 9, 10, 11, 12];
// Words of a peer's record: its address, what is known of it, where it stands, and its id. Those that it takes to find
// a peer and to tell of it stand together, since each piece of memory that is touched costs more than what is done there.
const [PORT, FLAGS, LIST, POSITION, PEER_LINK, MEMBER_LINK] = [4, 5, 6, 7, 8, 9];
const [SEEN, NEWER, OLDER, KEY, PEER_ID, PEER_WORDS] = [10, 11, 12, 13, 14, 19];
// Bits of a peer's flags, above those of its role.
const ROLE = 3;
const SIX = 4;
const COMPLETED = 8;
// The longest key: a swarm, four words of address, a port; and one word to begin with.
const SECRET_WORDS = 7;

export class PeerTable {
  /** The most peers. */
  readonly capacity: number;
  #peers = 0;
  #swarms = 0;
  readonly #byRole = [0, 0, 0];

  readonly #hash: WordHash;
  readonly #swarmIndex: SlotIndex;
  readonly #peerIndex: SlotIndex;
  readonly #memberIndex: SlotIndex;

  // A swarm has a peer at least, so there are never more of them.
  readonly #swarm: Uint32Array;
  readonly #swarmBytes: Uint8Array;
  readonly #freeSwarms: FreeSlots;
  readonly #peer: Uint32Array;
  readonly #peerBytes: Uint8Array;
  readonly #freePeers: FreeSlots;
  // All peers by when they were last seen.
  #oldest = NONE;
  #newest = NONE;

  /** @param secret random bytes, 28 of them: they keep others from choosing keys that collide */
  constructor(capacity: number, secret: Uint8Array) {
    this.capacity = capacity;
    this.#hash = new WordHash(new Uint32Array(secret.slice(0, SECRET_WORDS * 4).buffer));
    const swarms: Records = { words: new Uint32Array(capacity * SWARM_WORDS), stride: SWARM_WORDS };
    this.#swarm = swarms.words;
    this.#swarmBytes = new Uint8Array(swarms.words.buffer);
    this.#freeSwarms = new FreeSlots(swarms, SWARM_LINK);
    this.#swarmIndex = new SlotIndex(swarms, SWARM_LINK);
    const peers: Records = { words: new Uint32Array(capacity * PEER_WORDS), stride: PEER_WORDS };
    this.#peer = peers.words;
    this.#peerBytes = new Uint8Array(peers.words.buffer);
    this.#freePeers = new FreeSlots(peers, NEWER);
    this.#peerIndex = new SlotIndex(peers, PEER_LINK);
    this.#memberIndex = new SlotIndex(peers, MEMBER_LINK);
  }

  /** How many peers there are. */
  get peers(): number {
    return this.#peers;
  }

  /** How many swarms have a peer. */
  get swarms(): number {
    return this.#swarms;
  }

  /** How many peers have this role, in all swarms. */
  inRole(role: Role): number {
    return this.#byRole[role];
  }

  /** The peer that was seen longest ago, or NONE. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The swarm with this info-hash (20 bytes), or NONE. */
  findSwarm(infoHash: Uint8Array): number {
    let swarm = this.#swarmIndex.first(this.#hashOfSwarm(infoHash, 0));
    while (swarm !== NONE && !this.#hasHash(swarm, infoHash)) swarm = this.#swarmIndex.after(swarm);
    return swarm;
  }

  /** The info-hash of a swarm: a view. */
  infoHash(swarm: number): Uint8Array {
    const at = 4 * SWARM_WORDS * swarm;
    return this.#swarmBytes.subarray(at, at + HASH_LENGTH);
  }

  /** How many peers of a swarm want pieces, of one family. */
  leechers(swarm: number, six: boolean): number {
    return this.#swarm[countOf(listOf(swarm, six, false))];
  }

  /** How many peers of a swarm want nothing, seeds and partial ones, of one family. */
  uploaders(swarm: number, six: boolean): number {
    return this.#swarm[countOf(listOf(swarm, six, true))];
  }

  /** How many peers of a swarm want nothing although they have not all. */
  partials(swarm: number): number {
    return this.#swarm[SWARM_WORDS * swarm + PARTIALS];
  }

  /** How often the swarm was downloaded whole, as peers said. */
  downloads(swarm: number): number {
    return this.#swarm[SWARM_WORDS * swarm + DOWNLOADS];
  }

  setDownloads(swarm: number, downloads: number): void {
    this.#swarm[SWARM_WORDS * swarm + DOWNLOADS] = downloads;
  }

  /** The peer at a position of one of a swarm's lists: positions are below its count. */
  member(swarm: number, six: boolean, uploads: boolean, position: number): number {
    return this.#memberAt(listOf(swarm, six, uploads), position);
  }

  /** The peer at this address in a swarm, or NONE. */
  find(swarm: number, address: PackedAddress): number {
    const { six, a, b, c, d, port } = address;
    let peer = this.#peerIndex.first(this.#hashOfPeer(swarm, a, b, c, d, port));
    for (; peer !== NONE; peer = this.#peerIndex.after(peer)) {
      const at = PEER_WORDS * peer;
      const words = this.#peer;
      if (
        words[at + 3] === d && words[at + PORT] === port && this.swarmOf(peer) === swarm && this.isSix(peer) === six &&
        words[at + 2] === c && words[at + 1] === b && words[at] === a
      ) return peer;
    }
    return NONE;
  }

  /**
   * Adds a peer that isn't there, and its swarm with it. It is the newest then.
   *
   * @throws {RangeError} when the table is full
   */
  add(
    infoHash: Uint8Array,
    { six, a, b, c, d, port }: PackedAddress,
    { role, seen }: { role: Role; seen: number },
  ): number {
    if (this.#peers === this.capacity) throw new RangeError(`Cannot add a peer: there are ${this.capacity}`);
    const known = this.findSwarm(infoHash);
    const swarm = known === NONE ? this.#addSwarm(infoHash) : known;
    const peer = this.#freePeers.take();
    this.#peers++;
    this.#peer.set([a, b, c, d, port, role | (six ? SIX : 0)], PEER_WORDS * peer);
    this.#peerIndex.add(this.#hashOfPeer(swarm, a, b, c, d, port), peer);
    this.#join(peer, swarm, role);
    this.#append(peer, seen);
    return peer;
  }

  /** Says that a peer was seen: it is the newest then. `seen` is in seconds. */
  touch(peer: number, seen: number): void {
    if (peer !== this.#newest) {
      this.#unlink(peer);
      this.#append(peer, seen);
    }
    this.#peer[PEER_WORDS * peer + SEEN] = seen;
  }

  /** What a peer said of itself: 20 bytes of id, and its key. */
  identify(peer: number, id: Uint8Array, key: number): void {
    this.#peerBytes.set(id, 4 * (PEER_WORDS * peer + PEER_ID));
    this.#peer[PEER_WORDS * peer + KEY] = key;
  }

  setRole(peer: number, role: Role): void {
    if (role === this.role(peer)) return;
    const swarm = this.swarmOf(peer);
    this.#leave(peer);
    const flags = PEER_WORDS * peer + FLAGS;
    this.#peer[flags] = this.#peer[flags] & ~ROLE | role;
    this.#join(peer, swarm, role);
  }

  /** Says that a peer finished its download. */
  setCompleted(peer: number): void {
    this.#peer[PEER_WORDS * peer + FLAGS] |= COMPLETED;
  }

  /** Removes a peer, and its swarm if it was the last. */
  remove(peer: number): void {
    const swarm = this.swarmOf(peer);
    const { a, b, c, d, port } = this.address(peer);
    this.#leave(peer);
    this.#peerIndex.remove(this.#hashOfPeer(swarm, a, b, c, d, port), peer);
    this.#unlink(peer);
    this.#freePeers.give(peer);
    this.#peers--;
    if (this.total(swarm) === 0) this.#removeSwarm(swarm);
  }

  /** How many peers a swarm has in all. */
  total(swarm: number): number {
    let total = 0;
    for (let list = swarm * LISTS; list < (swarm + 1) * LISTS; list++) total += this.#swarm[countOf(list)];
    return total;
  }

  swarmOf(peer: number): number {
    return Math.floor(this.#peer[PEER_WORDS * peer + LIST] / LISTS);
  }

  isSix(peer: number): boolean {
    return (this.#peer[PEER_WORDS * peer + FLAGS] & SIX) !== 0;
  }

  role(peer: number): Role {
    return (this.#peer[PEER_WORDS * peer + FLAGS] & ROLE) as Role;
  }

  hasCompleted(peer: number): boolean {
    return (this.#peer[PEER_WORDS * peer + FLAGS] & COMPLETED) !== 0;
  }

  /** When a peer was last seen, in seconds. */
  seen(peer: number): number {
    return this.#peer[PEER_WORDS * peer + SEEN];
  }

  key(peer: number): number {
    return this.#peer[PEER_WORDS * peer + KEY];
  }

  /** The id that a peer gave itself: a view of 20 bytes. */
  peerId(peer: number): Uint8Array {
    const at = 4 * (PEER_WORDS * peer + PEER_ID);
    return this.#peerBytes.subarray(at, at + PEER_ID_LENGTH);
  }

  address(peer: number): PackedAddress {
    const words = this.#peer;
    const at = PEER_WORDS * peer;
    return {
      six: this.isSix(peer),
      a: words[at],
      b: words[at + 1],
      c: words[at + 2],
      d: words[at + 3],
      port: words[at + PORT],
    };
  }

  /** The peer seen next after this one, or NONE. */
  newerThan(peer: number): number {
    return this.#peer[PEER_WORDS * peer + NEWER] - 1;
  }

  /** Writes a peer's address as compact lists have it, 6 or 18 bytes; returns where it ends. */
  writeCompact(peer: number, into: Uint8Array, at: number): number {
    for (let word = this.isSix(peer) ? 0 : 3; word < 4; word++) {
      const value = this.#peer[PEER_WORDS * peer + word];
      into[at++] = value >>> 24;
      into[at++] = value >>> 16;
      into[at++] = value >>> 8;
      into[at++] = value;
    }
    const port = this.#peer[PEER_WORDS * peer + PORT];
    into[at++] = port >>> 8;
    into[at++] = port;
    return at;
  }

  #memberAt(list: number, position: number): number {
    let peer = this.#memberIndex.first(this.#hashOfMember(list, position));
    for (; peer !== NONE; peer = this.#memberIndex.after(peer)) {
      const at = PEER_WORDS * peer;
      if (this.#peer[at + LIST] === list && this.#peer[at + POSITION] === position) return peer;
    }
    return NONE;
  }

  /** Puts a peer at the end of the list that its role asks for. */
  #join(peer: number, swarm: number, role: Role): void {
    const list = listOf(swarm, this.isSix(peer), role !== LEECHER);
    this.#place(peer, list, this.#swarm[countOf(list)]++);
    this.#byRole[role]++;
    if (role === PARTIAL) this.#swarm[SWARM_WORDS * swarm + PARTIALS]++;
  }

  /** Takes a peer out of its list; the last one there takes its place. */
  #leave(peer: number): void {
    const list = this.#peer[PEER_WORDS * peer + LIST];
    const position = this.#peer[PEER_WORDS * peer + POSITION];
    const last = --this.#swarm[countOf(list)];
    this.#memberIndex.remove(this.#hashOfMember(list, position), peer);
    this.#byRole[this.role(peer)]--;
    if (this.role(peer) === PARTIAL) this.#swarm[SWARM_WORDS * this.swarmOf(peer) + PARTIALS]--;
    if (position === last) return;
    const mover = this.#memberAt(list, last);
    this.#memberIndex.remove(this.#hashOfMember(list, last), mover);
    this.#place(mover, list, position);
  }

  #place(peer: number, list: number, position: number): void {
    this.#peer[PEER_WORDS * peer + LIST] = list;
    this.#peer[PEER_WORDS * peer + POSITION] = position;
    this.#memberIndex.add(this.#hashOfMember(list, position), peer);
  }

  #append(peer: number, seen: number): void {
    this.#peer[PEER_WORDS * peer + SEEN] = seen;
    this.#peer[PEER_WORDS * peer + OLDER] = this.#newest + 1;
    this.#peer[PEER_WORDS * peer + NEWER] = 0;
    if (this.#newest === NONE) this.#oldest = peer;
    else this.#peer[PEER_WORDS * this.#newest + NEWER] = peer + 1;
    this.#newest = peer;
  }

  #unlink(peer: number): void {
    const older = this.#peer[PEER_WORDS * peer + OLDER] - 1;
    const newer = this.#peer[PEER_WORDS * peer + NEWER] - 1;
    if (older === NONE) this.#oldest = newer;
    else this.#peer[PEER_WORDS * older + NEWER] = newer + 1;
    if (newer === NONE) this.#newest = older;
    else this.#peer[PEER_WORDS * newer + OLDER] = older + 1;
  }

  #addSwarm(infoHash: Uint8Array): number {
    const swarm = this.#freeSwarms.take();
    this.#swarms++;
    this.#swarm.fill(0, SWARM_WORDS * swarm, SWARM_WORDS * (swarm + 1));
    this.#swarmBytes.set(infoHash, 4 * SWARM_WORDS * swarm);
    this.#swarmIndex.add(this.#hashOfSwarm(infoHash, 0), swarm);
    return swarm;
  }

  #removeSwarm(swarm: number): void {
    this.#swarmIndex.remove(this.#hashOfSwarm(this.#swarmBytes, 4 * SWARM_WORDS * swarm), swarm);
    this.#freeSwarms.give(swarm);
    this.#swarms--;
  }

  #hasHash(swarm: number, infoHash: Uint8Array): boolean {
    const at = 4 * SWARM_WORDS * swarm;
    for (let i = 0; i < HASH_LENGTH; i++) if (this.#swarmBytes[at + i] !== infoHash[i]) return false;
    return true;
  }

  #hashOfSwarm(bytes: Uint8Array, at: number): number {
    const hash = this.#hash.begin();
    for (let i = at; i < at + HASH_LENGTH; i += 4) {
      hash.word(bytes[i] << 24 | bytes[i + 1] << 16 | bytes[i + 2] << 8 | bytes[i + 3]);
    }
    return hash.end();
  }

  #hashOfPeer(swarm: number, a: number, b: number, c: number, d: number, port: number): number {
    return this.#hash.begin().word(swarm).word(a).word(b).word(c).word(d).word(port).end();
  }

  #hashOfMember(list: number, position: number): number {
    return this.#hash.begin().word(list).word(position).end();
  }
}

function listOf(swarm: number, six: boolean, uploads: boolean): number {
  return swarm * LISTS + (six ? 2 : 0) + (uploads ? 1 : 0);
}

/** The word that has a list's length. */
function countOf(list: number): number {
  return SWARM_WORDS * Math.floor(list / LISTS) + COUNTS + list % LISTS;
}
