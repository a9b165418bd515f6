/** Whom to serve, and how much: budgets of queries, and which addresses have proved to be who they say. @module */
import { holderOf, type PeerAddress, TokenBucket } from "weft";

// Addresses that are remembered at once: a flood from forged ones must leave memory flat.
const MAX_KNOWN = 4096;
// An address that answered is believed for so long (ms): it may have changed hands then.
const PROOF_LIFETIME = 30 * 60_000;
// An address that did not answer is asked for proof no sooner than after so long (ms).
const PROBE_INTERVAL = 60_000;

/** Queries a second, with bursts of two seconds' worth, from one address and in all. */
export class QueryBudget {
  readonly #perAddress: number;
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #all: TokenBucket;

  constructor(now: number, { perAddress, total }: { readonly perAddress: number; readonly total: number }) {
    this.#perAddress = perAddress;
    this.#all = bucketOf(now, total);
  }

  /** Takes one query of an address out of the budget; false when there is nothing left. */
  take(now: number, from: PeerAddress): boolean {
    const holder = holderOf(from);
    const bucket = this.#buckets.get(holder) ?? bucketOf(now, this.#perAddress);
    this.#buckets.delete(holder);
    this.#buckets.set(holder, bucket);
    if (this.#buckets.size > MAX_KNOWN) this.#buckets.delete(this.#buckets.keys().next().value!);
    // The address first: who is past its own budget must not use up that of all.
    return bucket.take(now) && this.#all.take(now);
  }
}

/** Which addresses receive what is sent to them; a forged one never does. */
export class Proofs {
  readonly #proven = new Map<string, number>();
  readonly #probed = new Map<string, number>();

  /** It answered a query of ours, or showed a token. */
  prove(now: number, { key }: PeerAddress): void {
    remember(this.#proven, key, now);
    this.#probed.delete(key);
  }

  has(now: number, { key }: PeerAddress): boolean {
    return now - (this.#proven.get(key) ?? -Infinity) < PROOF_LIFETIME;
  }

  /** Whether to ask for proof now; it counts as asked. */
  probe(now: number, { key }: PeerAddress): boolean {
    if (now - (this.#probed.get(key) ?? -Infinity) < PROBE_INTERVAL) return false;
    remember(this.#probed, key, now);
    return true;
  }
}

/** Two seconds' worth at once. */
function bucketOf(now: number, perSecond: number): TokenBucket {
  return new TokenBucket(now, { most: 2 * perSecond, perSecond });
}

function remember(map: Map<string, number>, key: string, now: number): void {
  map.delete(key);
  map.set(key, now);
  if (map.size > MAX_KNOWN) map.delete(map.keys().next().value!);
}
