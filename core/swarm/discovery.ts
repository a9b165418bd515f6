/**
 * Asks the discovery plugins for peers, round by round: as often as the swarm needs peers and the sources want to be
 * asked, and never for a private swarm.
 *
 * @module
 */
import { errorText } from "../api/errors.ts";
import { discoverPeers, type PeerCandidate, type Timer, type TorrentId } from "../api/mod.ts";
import type { Kernel } from "./kernel.ts";

// Between rounds when no source says when (ms); doubles while rounds bring nothing.
const ROUND_INTERVAL = 30_000;
const LONGEST_INTERVAL = 15 * 60_000;
// A source that says "again" sooner than this would only be asked the same again.
const SHORTEST_INTERVAL = 5_000;
// A source that forgets us for longer is asked all the same.
const LONGEST_AGAIN = 24 * 60 * 60_000;
// Candidates are admitted in batches of so many, so that a filter is called once for all.
const BATCH = 50;

/** What a round is for. */
export interface DiscoveryDemand {
  readonly id: TorrentId;
  /** How many more peers can be used; 0 skips the round. */
  wanted(): number;
  admit(source: string, candidates: readonly PeerCandidate[]): Promise<number>;
}

export class Discovery {
  readonly #kernel: Kernel;
  readonly #demand: DiscoveryDemand;
  #abort: AbortController | undefined;
  #timer: Timer | undefined;
  #interval = ROUND_INTERVAL;

  constructor(kernel: Kernel, demand: DiscoveryDemand) {
    this.#kernel = kernel;
    this.#demand = demand;
  }

  start(): void {
    if (this.#abort) return;
    this.#abort = new AbortController();
    void this.#round(this.#abort.signal);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#abort?.abort(new Error("the swarm stopped"));
    this.#abort = undefined;
  }

  async #round(signal: AbortSignal): Promise<void> {
    let next = this.#interval;
    const { bus, log, listenPort } = this.#kernel;
    const wanted = this.#demand.wanted();
    if (wanted > 0 && bus.observers(discoverPeers)) {
      try {
        const { found, again } = await this.#gather(wanted, listenPort, signal);
        this.#interval = found > 0 ? ROUND_INTERVAL : Math.min(this.#interval * 2, LONGEST_INTERVAL);
        const soonest = Math.min(LONGEST_AGAIN, ...again.values());
        next = again.size > 0 ? Math.max(SHORTEST_INTERVAL, soonest) : this.#interval;
      } catch (error) {
        log.warn(`Discovery failed: ${errorText(error)}`);
      }
    }
    if (!signal.aborted) this.#timer = this.#kernel.host.clock.after(next, () => void this.#round(signal));
  }

  async #gather(
    wanted: number,
    port: number,
    signal: AbortSignal,
  ): Promise<{ found: number; again: ReadonlyMap<string, number> }> {
    const round = this.#kernel.bus.gather(discoverPeers, { id: this.#demand.id, wanted, port }, signal);
    const batches = new Map<string, PeerCandidate[]>();
    let found = 0;
    const admit = async (source: string): Promise<void> => {
      const batch = batches.get(source) ?? [];
      batches.delete(source);
      if (batch.length > 0) found += await this.#demand.admit(source, batch);
    };
    // A round may last a minute: what came is used within a moment.
    const flush = (): void => {
      for (const source of [...batches.keys()]) void admit(source);
    };
    let flushing: Timer | undefined;
    try {
      for (;;) {
        const { done, value } = await round.next();
        if (done) {
          flushing?.cancel();
          await Promise.all([...batches.keys()].map(admit));
          return { found, again: value };
        }
        const batch = batches.get(value.plugin) ?? [];
        batches.set(value.plugin, batch);
        batch.push(value.value);
        if (batch.length >= BATCH) await admit(value.plugin);
        else {flushing ??= this.#kernel.host.clock.after(100, () => {
            flushing = undefined;
            flush();
          });}
      }
    } finally {
      flushing?.cancel();
    }
  }
}
