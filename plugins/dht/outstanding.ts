/** Queries that were sent and wait for their answer. @module */
import { byteString, type PeerAddress, type Random } from "weft";

/** Others are asked meanwhile (ms): most nodes answer far sooner. */
export const SLOW_AFTER = 2_000;
/** No answer is expected any more (ms). */
export const GIVEN_UP_AFTER = 8_000;
// Lookups and upkeep stay far below; what would go beyond is not sent.
const MAX_OUTSTANDING = 1024;
// Unpredictable, so that nobody who can't read our packets can answer for others: 2^32 guesses in 8 seconds.
const TRANSACTION_LENGTH = 4;

/** A query that was sent. */
export interface Sent<What> {
  readonly to: PeerAddress;
  readonly what: What;
  readonly transaction: Uint8Array;
  readonly at: number;
}

export class Outstanding<What> {
  readonly #random: Random;
  /** By transaction, in the order in which they were sent: those that aren't slow yet, and those that are. */
  readonly #fresh = new Map<string, Sent<What>>();
  readonly #slow = new Map<string, Sent<What>>();
  /** How many there are, by address. */
  readonly #counts = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#fresh.size + this.#slow.size;
  }

  /** Whether an answer of an address is waited for. */
  awaits({ key }: PeerAddress): boolean {
    return this.#counts.has(key);
  }

  /** Remembers a query; undefined when there are too many. */
  add(now: number, to: PeerAddress, what: What): Sent<What> | undefined {
    if (this.size >= MAX_OUTSTANDING) return undefined;
    const transaction = this.#random.bytes(TRANSACTION_LENGTH);
    const key = byteString(transaction);
    if (this.#fresh.has(key) || this.#slow.has(key)) return this.add(now, to, what);
    const sent = { to, what, transaction, at: now };
    this.#fresh.set(key, sent);
    this.#counts.set(to.key, (this.#counts.get(to.key) ?? 0) + 1);
    return sent;
  }

  /** The query that a message from an address answers; it waits no longer. */
  take(transaction: Uint8Array, from: PeerAddress): Sent<What> | undefined {
    const key = byteString(transaction);
    for (const queries of [this.#fresh, this.#slow]) {
      const sent = queries.get(key);
      if (sent?.to.key !== from.key) continue;
      queries.delete(key);
      this.#forget(sent);
      return sent;
    }
  }

  /** Queries to an address wait no longer: nothing can be sent there. */
  takeAll({ key }: PeerAddress): Sent<What>[] {
    const found: Sent<What>[] = [];
    if (!this.#counts.has(key)) return found;
    for (const queries of [this.#fresh, this.#slow]) {
      for (const [transaction, sent] of queries) {
        if (sent.to.key === key && queries.delete(transaction)) found.push(sent);
      }
    }
    this.#counts.delete(key);
    return found;
  }

  /** When something becomes slow or is given up next. */
  get nextTimeout(): number | undefined {
    const slow = first(this.#fresh);
    const over = first(this.#slow);
    if (!slow && !over) return undefined;
    return Math.min(slow ? slow.at + SLOW_AFTER : Infinity, over ? over.at + GIVEN_UP_AFTER : Infinity);
  }

  /** Queries that became slow, and such that are given up, since this was last asked. */
  timeouts(now: number): { slow: Sent<What>[]; over: Sent<What>[] } {
    const slow = due(this.#fresh, now - SLOW_AFTER);
    for (const sent of slow) this.#slow.set(byteString(sent.transaction), sent);
    const over = due(this.#slow, now - GIVEN_UP_AFTER);
    for (const sent of over) this.#forget(sent);
    return { slow, over };
  }

  #forget({ to: { key } }: Sent<What>): void {
    const left = this.#counts.get(key)! - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}

function first<What>(queries: ReadonlyMap<string, Sent<What>>): Sent<What> | undefined {
  return queries.values().next().value;
}

function due<What>(queries: Map<string, Sent<What>>, sentUntil: number): Sent<What>[] {
  const found: Sent<What>[] = [];
  for (const [transaction, sent] of queries) {
    if (sent.at > sentUntil) break;
    queries.delete(transaction);
    found.push(sent);
  }
  return found;
}
