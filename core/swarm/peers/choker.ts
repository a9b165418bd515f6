import type { Random } from "../../api/mod.ts";

/** What the choker goes by. Rates are bytes of payload per second, over about the last 20. */
export interface ChokePeer {
  readonly key: string;
  /** It wants pieces from us. */
  readonly interested: boolean;
  /** It unchoked us, was asked, and for a minute sent nothing. */
  readonly snubbed: boolean;
  /** What it sends us. */
  readonly down: number;
  /** What we send it. */
  readonly up: number;
  /** Milliseconds, as is `unchokedSince`. */
  readonly connectedAt: number;
  readonly unchokedSince?: number;
  /** Bytes of payload since it was unchoked. */
  readonly sentSinceUnchoke: number;
}

/** Milliseconds between rounds: a turn that is shorter does not let TCP get up to speed (BEP 3). */
export const rechokeInterval = 10_000;
/** Milliseconds that an optimistic unchoke lasts: time enough for a peer to answer in kind (BEP 3). */
export const optimisticInterval = 30_000;

/**
 * Decides whom we upload to.
 *
 * Downloading, it is tit for tat: the peers that send us most get the slots, and about a fifth of the slots, with
 * those that nobody earned, go round among the others, so that each can show what it would send. A peer that snubs us
 * earns none. Seeding, each peer that waits gets a turn, first come first served; a turn lasts until it has had its
 * share, and when several turns are over the fastest takers go on longest.
 */
export class Choker {
  /** Those that are unchoked, in the order in which they came to be. */
  #unchoked = new Set<string>();
  /** Those that hold a slot without having earned it, and since when. */
  readonly #optimistic = new Map<string, number>();
  /** Those that wait for their turn while we seed, longest first. */
  readonly #waiting = new Set<string>();
  readonly #random: Random;
  #nextRound = -Infinity;
  #rounds = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /**
   * The peers to have unchoked from now on; the others are to be choked. Only interested ones are among them, and at
   * most `slots`. Call it every {@link rechokeInterval}, and whenever a peer came, left or changed its interest: between
   * rounds it only fills slots that are free.
   */
  rechoke<P extends ChokePeer>(
    now: number,
    peers: readonly P[],
    options: { readonly slots: number; readonly seeding: boolean },
  ): ReadonlySet<P> {
    const { slots, seeding } = options;
    const due = now >= this.#nextRound;
    if (due) {
      this.#nextRound = now + rechokeInterval;
      this.#rounds++;
    }
    const interested = peers.filter((peer) => peer.interested);
    this.#noteUnchoked(interested);
    const chosen = seeding ? this.#serve(now, interested, slots, due) : this.#reciprocate(now, interested, slots, due);
    this.#unchoked = new Set(Array.from(chosen, (peer) => peer.key));
    return chosen;
  }

  /** The caller may also unchoke by itself, say a newcomer while slots are free. */
  #noteUnchoked(interested: readonly ChokePeer[]): void {
    const unchoked = new Set<string>();
    for (const peer of interested) if (peer.unchokedSince !== undefined) unchoked.add(peer.key);
    for (const key of this.#unchoked) if (!unchoked.has(key)) this.#unchoked.delete(key);
    for (const key of unchoked) this.#unchoked.add(key);
  }

  #reciprocate<P extends ChokePeer>(
    now: number,
    interested: P[],
    slots: number,
    due: boolean,
  ): Set<P> {
    this.#waiting.clear();
    const earned = due
      ? interested.filter((peer) => peer.down > 0 && !peer.snubbed)
      : interested.filter((peer) => this.#unchoked.has(peer.key) && !this.#optimistic.has(peer.key));
    earned.sort((a, b) => this.#merit(b) - this.#merit(a));
    const chosen = new Set(earned.slice(0, due ? slots - this.#reserved(slots) : slots));

    const tried = new Set<string>();
    for (const [key, since] of this.#optimistic) {
      const peer = interested.find((each) => each.key === key);
      const over = due && now - since >= optimisticInterval;
      if (over) tried.add(key);
      if (peer && !over && !chosen.has(peer) && chosen.size < slots) chosen.add(peer);
      else this.#optimistic.delete(key);
    }
    const untried = interested.filter((peer) => !chosen.has(peer) && !tried.has(peer.key));
    const others = interested.filter((peer) => !chosen.has(peer) && tried.has(peer.key));
    while (chosen.size < slots && untried.length + others.length > 0) {
      const peer = draw(now, untried.length > 0 ? untried : others, this.#random);
      chosen.add(peer);
      this.#optimistic.set(peer.key, now);
    }
    return chosen;
  }

  #serve<P extends ChokePeer>(now: number, interested: P[], slots: number, due: boolean): Set<P> {
    this.#optimistic.clear();
    const byKey = new Map(interested.map((peer) => [peer.key, peer]));
    for (const key of this.#waiting) if (!byKey.has(key)) this.#waiting.delete(key);
    for (const key of byKey.keys()) if (!this.#unchoked.has(key)) this.#waiting.add(key);

    // In the order in which they were unchoked: that is also the order in which they queue up again.
    const served = Array.from(this.#unchoked, (key) => byKey.get(key)).filter((peer) => peer !== undefined);
    const bySpeed = served.toSorted((a, b) => b.up - a.up);
    const done = bySpeed.filter((peer) => over(now, peer));
    let surplus = served.length - slots;
    if (due) surplus = Math.max(surplus, Math.min(surplus + this.#waiting.size, done.length));
    // The slowest of those whose turn is over go first; any other only when slots were taken away.
    const leaving = [...bySpeed.filter((peer) => !done.includes(peer)), ...done];
    const yielded = surplus > 0 ? leaving.slice(-surplus) : [];
    const chosen = new Set(served.filter((peer) => !yielded.includes(peer)));
    for (const key of this.#waiting) {
      if (chosen.size >= slots) break;
      chosen.add(byKey.get(key)!);
      this.#waiting.delete(key);
    }
    for (const peer of served) if (yielded.includes(peer)) this.#waiting.add(peer.key);
    return chosen;
  }

  /** What a peer earned; one that is already unchoked has a small lead, or two alike would swap every round. */
  #merit(peer: ChokePeer): number {
    return this.#unchoked.has(peer.key) ? peer.down * 1.1 : peer.down;
  }

  /** Slots that are kept for optimistic unchokes. A single slot goes to one for a third of the time. */
  #reserved(slots: number): number {
    if (slots > 1) return Math.max(1, Math.floor(slots / 5));
    return this.#rounds % 9 < 3 ? slots : 0;
  }
}

/** Milliseconds for which a peer counts as new: it has no pieces to trade yet. */
const newcomerTime = 90_000;
/** A turn while seeding: at least this long and this many bytes, so that a peer gets whole pieces out of it. */
const turnTime = 60_000;
const turnBytes = 8 * 1024 * 1024;
/** The longest turn: a slow taker must not hold a slot for hours. */
const longestTurn = 180_000;
/** A peer that takes nothing loses its turn after this long. */
const idleTurn = 30_000;

/** Whether a peer has had its turn while we seed. */
function over(now: number, peer: ChokePeer): boolean {
  const turn = now - (peer.unchokedSince ?? now);
  return turn >= longestTurn || turn >= turnTime && peer.sentSinceUnchoke >= turnBytes ||
    turn >= idleTurn && peer.up === 0;
}

/** Removes a random peer from the list; newcomers are three times as likely (BEP 3). */
function draw<P extends ChokePeer>(now: number, peers: P[], random: Random): P {
  const weight = (peer: P) => now - peer.connectedAt < newcomerTime ? 3 : 1;
  let ticket = random.below(peers.reduce((sum, peer) => sum + weight(peer), 0));
  const at = peers.findIndex((peer) => (ticket -= weight(peer)) < 0);
  return peers.splice(at, 1)[0];
}
