/** When to announce which swarm: evenly spread, so that thousands of idle ones cost next to nothing. @module */

// Nodes forget peers after half an hour or more; twice as often is enough (ms).
const INTERVAL = 15 * 60_000;
// Each announce is a lookup of some fifty small packets: with thousands of swarms a round takes longer instead (ms).
const LEAST_SPACING = 200;
// With nothing to announce, whether there is something now is looked up this often (ms).
const IDLE_INTERVAL = 60_000;

export class AnnounceSchedule {
  /** When each was announced last. */
  readonly #announced = new Map<string, number>();
  #urgent: string[] = [];
  #round: string[] = [];
  #spacing = LEAST_SPACING;
  #nextAt = -Infinity;

  /** When {@link due} is to be asked next. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /** A swarm is to be announced before its turn. */
  urge(now: number, swarm: string): void {
    this.#urgent.push(swarm);
    this.#nextAt = Math.min(this.#nextAt, now + LEAST_SPACING);
  }

  /** A swarm was announced, by whomever. */
  announced(now: number, swarm: string): void {
    this.#announced.set(swarm, now);
  }

  /** The swarm to announce now, if any; `swarms` gives those that there are, for the beginning of a round. */
  due(now: number, swarms: () => Iterable<string>): string | undefined {
    if (now < this.#nextAt) return undefined;
    const swarm = this.#next(now, this.#urgent) ?? this.#nextOfRound(now, swarms);
    this.#nextAt = now + (this.#urgent.length > 0 ? LEAST_SPACING : this.#spacing);
    return swarm;
  }

  #nextOfRound(now: number, swarms: () => Iterable<string>): string | undefined {
    const left = this.#next(now, this.#round);
    if (left !== undefined) return left;
    this.#round = [...swarms()].reverse();
    const present = new Set(this.#round);
    for (const swarm of this.#announced.keys()) if (!present.has(swarm)) this.#announced.delete(swarm);
    this.#spacing = present.size === 0
      ? IDLE_INTERVAL
      : Math.min(IDLE_INTERVAL, Math.max(LEAST_SPACING, INTERVAL / present.size));
    return this.#next(now, this.#round);
  }

  /** The last of a list that was not announced lately; those after it are dropped. */
  #next(now: number, list: string[]): string | undefined {
    for (let swarm = list.pop(); swarm !== undefined; swarm = list.pop()) {
      if (now - (this.#announced.get(swarm) ?? -Infinity) >= INTERVAL) return swarm;
    }
  }
}
