/** The routing table of BEP 5: buckets of nodes that answered, dense around our own id. @module */
import { holderOf, type PeerAddress, type Random } from "weft";
import { compactOf, type Contact, isPublic, isSecure, networkOf } from "./contact.ts";
import { compareDistance, ID_LENGTH, type NodeId, randomIdSharing, sharedBits } from "./node_id.ts";

/** Nodes of one bucket, and how many the closest ones to a target are. */
export const K = 8;
/** What becomes of nodes whose id does not fit their address (BEP 42). */
export type Secure = "off" | "prefer" | "require";

// Good is a node that answered within so long (BEP 5); after it, it is asked again, and a bucket is refreshed (ms).
const FRESH = 15 * 60_000;
// A node that failed to answer is asked again this soon (ms), so that the table heals before lookups meet it.
const RECHECK = 30_000;
// Bad is a node that failed so often in a row; sooner where another stands ready.
const MAX_FAILURES = 3;
const MAX_FAILURES_WITH_SPARE = 2;
// One party with a whole network must not fill a bucket, or the table, with nodes of its own.
const MAX_PER_NETWORK_IN_BUCKET = 2;
const MAX_PER_NETWORK = 10;

/** A node that answered. */
export interface TableNode extends Contact {
  /** When it answered last (ms). */
  readonly seen: number;
  /** Queries in a row that it did not answer. */
  readonly failures: number;
}

interface Entry extends Contact {
  readonly secure: boolean;
  /** Its holder and network, as far as they count: undefined for addresses that are not public. */
  readonly network: string | undefined;
  seen: number;
  tried: number;
  failures: number;
}

interface Bucket {
  nodes: Entry[];
  /** Nodes that answered and found no room, the freshest last. */
  spare: Entry[];
  changed: number;
}

export class RoutingTable {
  readonly id: NodeId;
  readonly #secure: Secure;
  /** Bucket i holds what shares exactly i bits with our id; the last one, that and more. */
  readonly #buckets: Bucket[] = [{ nodes: [], spare: [], changed: -Infinity }];
  readonly #byAddress = new Map<string, Entry>();
  readonly #holders = new Set<string>();
  readonly #networks = new Map<string, number>();

  constructor(id: NodeId, secure: Secure) {
    this.id = id;
    this.#secure = secure;
  }

  /** How many nodes there are, without replacements. */
  get size(): number {
    return this.#byAddress.size;
  }

  get buckets(): number {
    return this.#buckets.length;
  }

  has({ key }: PeerAddress): boolean {
    return this.#byAddress.has(key);
  }

  /** Whether a node with this id would find room: worth a ping. */
  wants(id: NodeId): boolean {
    const bucket = this.#bucketOf(id);
    return bucket.nodes.length < K || bucket.spare.length < K || bucket === this.#buckets.at(-1);
  }

  /** A node answered a query of ours: it enters, or is good again. */
  answered(now: number, { id, address }: Contact): void {
    if (id === this.id) return;
    const known = this.#byAddress.get(address.key);
    if (known?.id === id) {
      known.seen = known.tried = now;
      known.failures = 0;
      this.#bucketOf(id).changed = now;
      return;
    }
    // It changed its id, as nodes do that restart; somebody who does it often gains no second place.
    if (known) this.#remove(known);
    const secure = isSecure({ id, address });
    if (!secure && this.#secure === "require") return;
    const network = isPublic(address) ? networkOf(address) : undefined;
    this.#enter(now, {
      id,
      address,
      compact: compactOf({ id, address }),
      secure,
      network,
      seen: now,
      tried: now,
      failures: 0,
    });
  }

  /** A node did not answer. */
  failed(now: number, address: PeerAddress): void {
    const entry = this.#byAddress.get(address.key);
    if (!entry) return;
    entry.failures++;
    entry.tried = now;
    const bucket = this.#bucketOf(entry.id);
    if (entry.failures < (bucket.spare.length > 0 ? MAX_FAILURES_WITH_SPARE : MAX_FAILURES)) return;
    this.#remove(entry);
    for (let spare = bucket.spare.pop(); spare; spare = bucket.spare.pop()) {
      if (this.#admits(bucket, spare)) return this.#insert(bucket, spare);
    }
  }

  /** The nodes closest to a target, closest first: those that answered last time before others. */
  closest(target: NodeId, count = K): Contact[] {
    const found: Entry[] = [];
    const shared = Math.min(sharedBits(this.id, target), this.#buckets.length - 1);
    // Closest are those of the target's own bucket; beyond it all are equally far up to the bit that sets it apart;
    // then each lower bucket is farther than all before.
    found.push(...this.#usable(shared));
    if (found.length < count) {
      for (let i = shared + 1; i < this.#buckets.length; i++) {
        found.push(...this.#usable(i));
      }
    }
    for (let i = shared - 1; i >= 0 && found.length < count; i--) found.push(...this.#usable(i));
    return found.sort((a, b) => compareDistance(target, a.id, b.id)).slice(0, count);
  }

  /** Every node. */
  *nodes(): IterableIterator<TableNode> {
    for (const { nodes } of this.#buckets) yield* nodes;
  }

  /** A node to ping, so that it is known to be good or gone; it counts as tried. */
  questionable(now: number): Contact | undefined {
    let oldest: Entry | undefined;
    for (const entry of this.#byAddress.values()) {
      const due = entry.failures > 0 ? entry.tried + RECHECK : entry.tried + FRESH;
      if (due <= now && (!oldest || entry.tried < oldest.tried)) oldest = entry;
    }
    if (oldest) oldest.tried = now;
    return oldest;
  }

  /** An id to look up in a bucket that has not changed for a while; that bucket counts as changed. */
  stale(now: number, random: Random): NodeId | undefined {
    for (const [i, bucket] of this.#buckets.entries()) {
      if (bucket.changed + FRESH > now) continue;
      bucket.changed = now;
      if (i === this.#buckets.length - 1) return this.id;
      return randomIdSharing(this.id, i, random);
    }
  }

  #bucketOf(id: NodeId): Bucket {
    return this.#buckets[Math.min(sharedBits(this.id, id), this.#buckets.length - 1)];
  }

  #usable(i: number): Entry[] {
    return this.#buckets[i].nodes.filter(({ failures }) => failures < MAX_FAILURES_WITH_SPARE);
  }

  #enter(now: number, entry: Entry): void {
    for (;;) {
      const bucket = this.#bucketOf(entry.id);
      const twin = bucket.nodes.find(({ id }) => id === entry.id);
      // Whoever takes another's id while that one is well gets nothing by it.
      if (twin && twin.failures === 0) return;
      if (twin) this.#remove(twin);
      if (!this.#admits(bucket, entry)) return;
      if (bucket.nodes.length < K) {
        bucket.changed = now;
        return this.#insert(bucket, entry);
      }
      if (bucket === this.#buckets.at(-1) && this.#buckets.length < ID_LENGTH * 8) {
        this.#split(bucket);
        continue;
      }
      const loser = bucket.nodes.find(({ failures }) => failures >= MAX_FAILURES_WITH_SPARE) ??
        (this.#secure === "prefer" && entry.secure ? bucket.nodes.find(({ secure }) => !secure) : undefined);
      if (loser) {
        this.#remove(loser);
        return this.#insert(bucket, entry);
      }
      bucket.spare = [...bucket.spare.filter(({ address }) => address.key !== entry.address.key), entry].slice(-K);
      return;
    }
  }

  #split(bucket: Bucket): void {
    const depth = this.#buckets.length - 1;
    const stays = ({ id }: Entry): boolean => sharedBits(this.id, id) === depth;
    const deeper: Bucket = {
      nodes: bucket.nodes.filter((entry) => !stays(entry)),
      spare: bucket.spare.filter((entry) => !stays(entry)),
      changed: bucket.changed,
    };
    bucket.nodes = bucket.nodes.filter(stays);
    bucket.spare = bucket.spare.filter(stays);
    this.#buckets.push(deeper);
  }

  #admits(bucket: Bucket, { address, network }: Entry): boolean {
    if (this.#byAddress.has(address.key)) return false;
    if (network === undefined) return true;
    return !this.#holders.has(holderOf(address)) && (this.#networks.get(network) ?? 0) < MAX_PER_NETWORK &&
      bucket.nodes.filter((other) => other.network === network).length < MAX_PER_NETWORK_IN_BUCKET;
  }

  #insert(bucket: Bucket, entry: Entry): void {
    bucket.nodes.push(entry);
    this.#byAddress.set(entry.address.key, entry);
    if (entry.network === undefined) return;
    this.#holders.add(holderOf(entry.address));
    this.#networks.set(entry.network, (this.#networks.get(entry.network) ?? 0) + 1);
  }

  #remove(entry: Entry): void {
    const bucket = this.#bucketOf(entry.id);
    bucket.nodes = bucket.nodes.filter((other) => other !== entry);
    this.#byAddress.delete(entry.address.key);
    if (entry.network === undefined) return;
    this.#holders.delete(holderOf(entry.address));
    const left = this.#networks.get(entry.network)! - 1;
    if (left > 0) this.#networks.set(entry.network, left);
    else this.#networks.delete(entry.network);
  }
}
