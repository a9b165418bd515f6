/**
 * When which swarm is announced (BEP 14): soon after it came, then every five minutes, sooner when a neighbour appears
 * that may not know of us yet, and never more than once a minute.
 *
 * @module
 */
import { HASHES_PER_ANNOUNCE } from "./codec.ts";

/** Between two announces of a swarm (ms). */
export const PERIOD = 5 * 60_000;
/** Nobody shall announce a swarm more often than this (BEP 14, ms). */
export const SHORTEST_PERIOD = 60_000;
// Neighbours that hear the same newcomer don't all answer at once (ms).
const ANSWER_SPREAD = 1_000;
// A socket holds about 90 datagrams of our size: with thousands of swarms, send a few at a time (ms between them).
const MESSAGES_AT_ONCE = 8;
const PACE = 100;

/** What a generation hands on to the next: wire ids, and how long ago each was announced (ms). */
export type AnnounceAges = readonly (readonly [hex: string, age: number])[];

interface Announced {
  /** When it was announced last; -Infinity for never. */
  last: number;
  due: number;
}

/** Decides what to announce now. It knows nothing of sockets; time is given. */
export class AnnounceSchedule {
  #swarms = new Map<string, Announced>();

  constructor(now = 0, ages: AnnounceAges = []) {
    for (const [hex, age] of ages) this.#swarms.set(hex, { last: now - age, due: now - age + PERIOD });
  }

  /** How many swarms it keeps in mind. */
  get size(): number {
    return this.#swarms.size;
  }

  /**
   * The announces to send now, each a list of info-hashes, and when to ask again at the latest. `ids` are the wire ids
   * of all swarms that may be announced; what isn't among them is forgotten, new ones are due at once.
   */
  poll(now: number, ids: Iterable<string>): { announces: string[][]; next: number } {
    const swarms = new Map<string, Announced>();
    const due: string[] = [];
    let next = now + PERIOD;
    for (const hex of ids) {
      const swarm = this.#swarms.get(hex) ?? { last: -Infinity, due: now };
      swarms.set(hex, swarm);
      if (swarm.due <= now && due.length < MESSAGES_AT_ONCE * HASHES_PER_ANNOUNCE) {
        due.push(hex);
        [swarm.last, swarm.due] = [now, now + PERIOD];
      }
      next = Math.min(next, swarm.due);
    }
    this.#swarms = swarms;
    const announces: string[][] = [];
    for (let i = 0; i < due.length; i += HASHES_PER_ANNOUNCE) announces.push(due.slice(i, i + HASHES_PER_ANNOUNCE));
    return { announces, next: Math.max(next, now + PACE) };
  }

  /**
   * A neighbour appeared that has the swarm: it hears of us within a second, or as soon as the minute is over.
   *
   * @param spread from 0 to 1, at random
   * @returns when to poll; undefined when that changes nothing
   */
  answer(now: number, hex: string, spread: number): number | undefined {
    const swarm = this.#swarms.get(hex);
    if (!swarm) return undefined;
    const due = Math.max(now + spread * ANSWER_SPREAD, swarm.last + SHORTEST_PERIOD);
    return due < swarm.due ? swarm.due = due : undefined;
  }

  /** What was said holds no more, such as on another network: all are due, as far as the minute allows. */
  repeat(now: number): void {
    for (const swarm of this.#swarms.values()) {
      swarm.due = Math.min(swarm.due, Math.max(now, swarm.last + SHORTEST_PERIOD));
    }
  }

  /** What the next generation needs, so that it doesn't announce anew what was announced just now. */
  ages(now: number): AnnounceAges {
    return [...this.#swarms].flatMap(([hex, { last }]) => last > -Infinity ? [[hex, now - last] as const] : []);
  }
}
