/**
 * Which transport a peer is dialed over, and when: the preferred one first, the next one soon after, as RFC 8305 does
 * with addresses. A pure policy: it is told what happens, and asked what to do.
 *
 * @module
 */

/**
 * How long a transport is waited for before the next one is tried beside it (ms). RFC 8305 recommends 250 and allows up
 * to 2,000; most round trips are shorter than this, so that a peer that answers is dialed but once.
 */
export const RACE_DELAY = 300;

/** Why a transport did not lead to the peer. */
export interface DialFault {
  readonly transport: string;
  readonly reason: string;
}

/** One race for one peer. Times are milliseconds of one clock. */
export class DialRace {
  /** Why each transport failed so far, in the order in which they did. */
  readonly faults: DialFault[] = [];
  readonly #order: readonly string[];
  readonly #failed = new Set<string>();
  #running = new Set<string>();
  #winner: string | undefined;
  #due = -Infinity;

  /** @param order names of transports, the preferred one first; each is there once */
  constructor(order: readonly string[]) {
    this.#order = order;
  }

  /** When {@link DialRace.poll} has another transport to start; Infinity when that depends on those that run. */
  get due(): number {
    return this.#next === undefined ? Infinity : this.#due;
  }

  /** Every transport failed. */
  get lost(): boolean {
    return this.#failed.size === this.#order.length;
  }

  /** The transport to start now, if any. */
  poll(now: number): string | undefined {
    const next = this.#next;
    if (next === undefined || now < this.#due) return undefined;
    this.#running.add(next);
    this.#due = now + RACE_DELAY;
    return next;
  }

  /**
   * A transport reached the peer. Whether it is the first: then those that still run have lost and are to be stopped.
   * Should the winner fail yet, they are started once more.
   */
  opened(transport: string): boolean {
    if (this.#winner === undefined && this.#running.has(transport)) {
      this.#winner = transport;
      this.#running = new Set([transport]);
    }
    return this.#winner === transport;
  }

  /** A transport failed, perhaps after it won: the next one starts at once. */
  failed(now: number, transport: string, reason: string): void {
    if (!this.#running.delete(transport)) return;
    if (this.#winner === transport) this.#winner = undefined;
    this.#failed.add(transport);
    this.faults.push({ transport, reason });
    this.#due = now;
  }

  get #next(): string | undefined {
    if (this.#winner !== undefined) return undefined;
    return this.#order.find((name) => !this.#running.has(name) && !this.#failed.has(name));
  }
}
