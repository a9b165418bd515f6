/**
 * The sources of blocks of one swarm that are no peers: each is fetched from by the plugin that speaks its scheme, while
 * blocks are wanted.
 *
 * @module
 */
import {
  blockSources,
  type EgressGrant,
  errorText,
  type SourceClient,
  type SourceKind,
  type SourceSnapshot,
} from "../../api/mod.ts";
import type { Info, TorrentId } from "../../wire/mod.ts";
import type { Kernel } from "../kernel.ts";
import { Source, type SourceHost } from "./source.ts";

/** A source as a torrent, a magnet or the user names it. */
export interface NamedSource {
  readonly url: string;
  readonly kind: SourceKind;
}

/** What the sources need of their swarm. */
export interface SourcesSwarm extends SourceHost {
  readonly id: TorrentId;
  readonly name: string;
  readonly shape: Info | undefined;
  /** What it knows of by now. */
  readonly namedSources: readonly NamedSource[];
  /** What the user allowed these sources. */
  readonly grant: EgressGrant;
}

// A source that has nothing to fetch looks again so often (ms): peers that leave give blocks back, without a word.
const LOOK_AGAIN = 1_000;

/** A source that is fetched from. */
interface Live {
  readonly source: Source;
  readonly abort: AbortController;
}

export class SwarmSources {
  readonly #kernel: Kernel;
  readonly #swarm: SourcesSwarm;
  /** By URL; those that failed stay, so that they aren't asked again and the user sees why. */
  readonly #live = new Map<string, Live>();
  readonly #waiting = new Set<() => void>();

  constructor(kernel: Kernel, swarm: SourcesSwarm) {
    this.#kernel = kernel;
    this.#swarm = swarm;
  }

  /** The sources themselves. */
  *[Symbol.iterator](): Iterator<Source> {
    for (const { source } of this.#live.values()) yield source;
  }

  snapshots(now: number): SourceSnapshot[] {
    return [...this.#live.values()].map(({ source }) => source.snapshot(now));
  }

  /** Begins to fetch from what is named and has a plugin that speaks its scheme; others are left as they are. */
  start(): void {
    const { shape, namedSources } = this.#swarm;
    if (!shape) return;
    for (const { url: text, kind } of namedSources) {
      if (this.#live.has(text) || !URL.canParse(text)) continue;
      const url = new URL(text);
      const provided = this.#kernel.bus.values(blockSources, shape).find(({ key }) =>
        key === url.protocol.slice(0, -1)
      );
      if (!provided) continue;
      const source = new Source(this.#swarm, shape, { url, kind, plugin: provided.plugin });
      const live = { source, abort: new AbortController() };
      this.#live.set(text, live);
      void this.#fetch(live, shape, provided.value);
    }
  }

  /** Fetches no more, and forgets how each source fared. */
  stop(reason: Error): void {
    for (const { source, abort } of this.#live.values()) {
      abort.abort(reason);
      source.release();
    }
    this.#live.clear();
    this.look();
  }

  /** There may be something to fetch again. */
  look(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /**
   * The source with this key sent wrong bytes of a piece, which is proven.
   *
   * @returns whether there is such a source
   */
  lied(key: number, piece: number, why: string): boolean {
    for (const { source, abort } of this.#live.values()) {
      if (source.key !== key) continue;
      this.#kernel.log.warn(`Web seed ${source.origin.url.host} of "${this.#swarm.name}" ${why}`);
      if (source.lied(piece, why)) abort.abort(new Error(why));
      return true;
    }
    return false;
  }

  async #fetch(
    { source, abort: { signal } }: Live,
    info: Info,
    client: SourceClient,
  ): Promise<void> {
    const { id, grant } = this.#swarm;
    const { url, kind } = source.origin;
    try {
      await client.fetch({
        url: new URL(url),
        kind,
        id,
        info,
        grant,
        take: (bytes) => signal.aborted ? undefined : source.take(bytes),
        wanted: (caller) => this.#untilWanted(signal, caller),
        lacks: (offset, length) => source.lacks(offset, length),
        report: (status) => void (source.status = status),
      }, signal);
      source.failure ??= "its plugin gave it up";
    } catch (error) {
      if (!signal.aborted) source.failure = errorText(error);
    } finally {
      source.release();
    }
  }

  /** Resolves at the next look, or soon. */
  #untilWanted(...signals: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = (): AbortSignal | undefined => signals.find((signal) => signal.aborted);
      if (aborted()) return reject(aborted()!.reason);
      const end = (): void => {
        timer.cancel();
        this.#waiting.delete(end);
        for (const signal of signals) signal.removeEventListener("abort", end);
        if (aborted()) reject(aborted()!.reason);
        else resolve();
      };
      const timer = this.#kernel.host.clock.after(LOOK_AGAIN, end);
      this.#waiting.add(end);
      for (const signal of signals) signal.addEventListener("abort", end, { once: true });
    });
  }
}
