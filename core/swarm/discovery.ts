/**
 * Asks the discovery plugins for peers, round by round: as often as the swarm needs peers and the sources want to be
 * asked, and never for a private swarm.
 *
 * @module
 */
import { discoverPeers, errorText, type PeerCandidate, type Timer, type TorrentId } from "../api/mod.ts";
import type { Kernel } from "./kernel.ts";
import { Filters } from "./peers/admission.ts";

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
  /** When each source is to be asked again, by plugin. */
  #due: ReadonlyMap<string, number> = new Map();
  /** The sources that there were when it was looked last, and the filters of what they name. */
  #known: ReadonlySet<object> = new Set();
  readonly #filters: Filters;
  /** Plugins whose handlers came since, or whose peers may pass now: they are asked in the next round, whatever those before them wanted. */
  #fresh: ReadonlySet<string> = new Set();
  #begun = -Infinity;

  constructor(kernel: Kernel, demand: DiscoveryDemand) {
    this.#kernel = kernel;
    this.#demand = demand;
    this.#filters = new Filters(kernel.bus);
  }

  start(): void {
    if (this.#abort) return;
    this.#abort = new AbortController();
    this.#due = new Map();
    this.#known = new Set(this.#sources());
    this.#filters.renew();
    void this.#round(this.#abort.signal);
  }

  /**
   * The plugins changed: sources that were not there before are asked soon, or after the round under way; all of them
   * when the filters are others, which may let pass what those before them refused.
   */
  renew(): void {
    if (!this.#abort) return;
    const sources = this.#sources();
    const { changed } = this.#filters.renew();
    const fresh = sources.filter((source) => changed || !this.#known.has(source)).map(({ plugin }) => plugin);
    this.#known = new Set(sources);
    if (fresh.length === 0) return;
    this.#fresh = new Set([...this.#fresh, ...fresh]);
    if (!this.#timer) return;
    this.#timer.cancel();
    this.#schedule(this.#soon, this.#abort.signal);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#abort?.abort(new Error("the swarm stopped"));
    this.#abort = this.#timer = undefined;
    this.#fresh = new Set();
  }

  /** A plugin that registers again and again is not asked each time. */
  get #soon(): number {
    return this.#begun + SHORTEST_INTERVAL;
  }

  #sources(): readonly { readonly plugin: string }[] {
    return this.#kernel.bus.table.handlers(discoverPeers);
  }

  async #round(signal: AbortSignal): Promise<void> {
    this.#timer = undefined;
    const { bus, log, host: { clock } } = this.#kernel;
    this.#begun = clock.now();
    let next = clock.now() + this.#interval;
    const wanted = this.#demand.wanted();
    if (wanted > 0 && bus.observers(discoverPeers)) {
      try {
        next = await this.#ask(wanted, signal);
        if (this.#fresh.size > 0) next = this.#soon;
      } catch (error) {
        log.warn(`Discovery failed: ${errorText(error)}`);
      }
    }
    if (!signal.aborted) this.#schedule(next, signal);
  }

  #schedule(at: number, signal: AbortSignal): void {
    const { clock } = this.#kernel.host;
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => void this.#round(signal));
  }

  /** Asks each source whose time has come, and returns when the next one's comes. */
  async #ask(wanted: number, signal: AbortSignal): Promise<number> {
    const { clock } = this.#kernel.host;
    const start = clock.now();
    const before = this.#due;
    const fresh = this.#fresh;
    this.#fresh = new Set();
    const due = this.#due = new Map<string, number>();
    const asked = new Set<string>();
    const { found, again } = await this.#gather(wanted, signal, (plugin) => {
      const at = fresh.has(plugin) ? start : before.get(plugin) ?? start;
      if (at <= start) asked.add(plugin);
      due.set(plugin, at);
      return at <= start;
    });
    if (found > 0) this.#interval = ROUND_INTERVAL;
    else if (asked.size > 0) this.#interval = Math.min(this.#interval * 2, LONGEST_INTERVAL);
    const now = clock.now();
    for (const plugin of asked) {
      const wish = again.get(plugin);
      // A wish counts from when it was asked: who had a long answer, or waited for others, is asked at once.
      due.set(plugin, wish === undefined ? now + this.#interval : Math.max(now, start + clampAgain(wish)));
    }
    return due.size > 0 ? Math.min(...due.values()) : now + this.#interval;
  }

  async #gather(
    wanted: number,
    signal: AbortSignal,
    asks: (plugin: string) => boolean,
  ): Promise<{ found: number; again: ReadonlyMap<string, number> }> {
    const { bus, listenPort: port } = this.#kernel;
    const round = bus.gather(discoverPeers, { id: this.#demand.id, wanted, port }, signal, asks);
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

function clampAgain(wish: number): number {
  return wish >= SHORTEST_INTERVAL ? Math.min(wish, LONGEST_AGAIN) : SHORTEST_INTERVAL;
}
