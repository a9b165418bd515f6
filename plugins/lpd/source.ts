import type { Clock, DiscoverRequest, GatherStream, PeerAddress, PeerCandidate, SwarmsView } from "weft";
import type { Neighbour, Neighbours } from "./neighbours.ts";
import { PERIOD } from "./schedule.ts";

// How long a round stays open, so that a neighbour is told at once (ms); other sources wait for the end of a round.
const ROUND = 30_000;
// As soon as the kernel lets us, counted from the round's start (ms): the next one follows at once.
const SOON = 5_000;
// An open round costs a few KiB, and some work each time it begins anew. Swarms past this number learn of a neighbour
// when it dials them, which it does as it hears our answer, or in their next round. Downloads go first.
const MAX_ROUNDS = 200;
const MAX_SEED_ROUNDS = 100;

/** Rounds of discovery: what is known of a swarm's neighbours, and then what comes. */
export class LpdSource {
  readonly #options: { readonly clock: Clock; readonly swarms: SwarmsView; readonly neighbours: Neighbours };
  /** Open rounds, by wire id. */
  readonly #rounds = new Map<string, Set<(address?: PeerAddress) => void>>();
  #open = 0;

  constructor(options: { readonly clock: Clock; readonly swarms: SwarmsView; readonly neighbours: Neighbours }) {
    this.#options = options;
  }

  /** How many rounds are open. */
  get open(): number {
    return this.#open;
  }

  /** Tells open rounds of a new neighbour. */
  appeared({ hex, address }: Neighbour): void {
    for (const tell of this.#rounds.get(hex) ?? []) tell(address);
  }

  /** Ends the open rounds. */
  close(): void {
    for (const rounds of this.#rounds.values()) for (const tell of rounds) tell();
  }

  /** One round for one swarm. */
  async *discover({ id }: DiscoverRequest, signal: AbortSignal): GatherStream<PeerCandidate> {
    const { clock, swarms, neighbours } = this.#options;
    const ids = id.wireIds.map(({ hex }) => hex);
    // A client with both ids of a hybrid torrent announces both.
    const found = new Map<string, PeerAddress>();
    for (const hex of ids) for (const address of neighbours.of(clock.now(), hex)) found.set(address.key, address);
    const seeds = swarms.get(ids[0])?.seeding ?? true;
    if (this.#open >= (seeds ? MAX_SEED_ROUNDS : MAX_ROUNDS)) {
      for (const address of found.values()) yield candidate(address);
      return { again: PERIOD };
    }
    const queue = [...found.values()];
    let over = false;
    let wake = (): void => {};
    const tell = (address?: PeerAddress): void => {
      if (!address) over = true;
      else if (!found.has(address.key)) queue.push(address), found.set(address.key, address);
      wake();
    };
    const end = (): void => tell();
    const timer = clock.after(ROUND, end);
    signal.addEventListener("abort", end, { once: true });
    this.#attach(ids, tell);
    try {
      while (!over && !signal.aborted) {
        const next = queue.shift();
        if (next) yield candidate(next);
        else await new Promise<void>((resolve) => wake = resolve);
      }
      return { again: SOON };
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", end);
      this.#detach(ids, tell);
    }
  }

  #attach(ids: readonly string[], tell: (address?: PeerAddress) => void): void {
    this.#open++;
    for (const hex of ids) this.#rounds.set(hex, (this.#rounds.get(hex) ?? new Set()).add(tell));
  }

  #detach(ids: readonly string[], tell: (address?: PeerAddress) => void): void {
    this.#open--;
    for (const hex of ids) {
      const rounds = this.#rounds.get(hex);
      rounds?.delete(tell);
      if (rounds?.size === 0) this.#rounds.delete(hex);
    }
  }
}

/** It named itself, so the guard lets it be as near as it is. */
function candidate(address: PeerAddress): PeerCandidate {
  return { address, namedBy: address.ip };
}
