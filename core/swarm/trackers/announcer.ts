/**
 * Announces one swarm to its trackers: asks {@link TrackerTiers} what to do, and does it through the tracker clients
 * that plugins provide.
 *
 * @module
 */
import {
  type AnnounceAnswer,
  type AnnounceEvent,
  type Clock,
  type EgressGrant,
  errorText,
  type Random,
  type Timer,
  type TrackerClient,
  TrackerError,
  type TrackerStatus,
} from "../../api/mod.ts";
import { type PeerAddress, quote, type TorrentId, withoutUndefined } from "../../wire/mod.ts";
import { type Announce, type Refusal, type Tracker, TrackerTiers } from "./tiers.ts";

/** The state of the swarm, as trackers are told it. */
export interface AnnounceStats {
  /** Payload bytes up to now; trackers are told what was added since `start`. */
  readonly uploaded: number;
  readonly downloaded: number;
  /** Bytes still missing. */
  readonly left: number;
  /** How many more peers the swarm can use. */
  readonly wanted: number;
  /** What this runtime does about encryption. */
  readonly encryption?: "supported" | "required";
  /** Where this runtime accepts peers, or 0. */
  readonly port: number;
}

/** What an announcer needs. */
export interface AnnouncerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly id: TorrentId;
  /** Announce URLs by tier (BEP 12). */
  readonly tiers: readonly (readonly string[])[];
  /** The client for a URL scheme, without the colon. */
  client(scheme: string): TrackerClient | undefined;
  stats(): AnnounceStats;
  /** What the user allowed these trackers. */
  readonly grant?: EgressGrant;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** 32 bits that stay the same while this runtime runs. */
  readonly key: number;
  /** A tracker named peers. `from` is its IP, where known: what it may name depends on it. */
  onPeers(peers: readonly PeerAddress[], source: { readonly url: string; readonly from?: string }): void;
  /** A tracker told at which IP it sees us (BEP 24); `from` is its own, where known. */
  onExternalIp(ip: string, from: string | undefined): void;
  /** A tracker's state changed. */
  onStatus(status: TrackerStatus): void;
}

// Private trackers frown on more, and it is as much as the pool takes up at once.
const MAX_WANTED = 200;
/** A client that never settles must not hold up its tier; clients have shorter timeouts of their own. Milliseconds. */
export const ANNOUNCE_TIMEOUT = 90_000;
// A scrape only brings figures; milliseconds.
const SCRAPE_TIMEOUT = 30_000;
/** How long `stop` waits for all trackers together, in milliseconds: nobody wants to wait for them at shutdown. */
export const STOP_TIMEOUT = 4_000;

/** The announcer of one swarm. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #tiers: TrackerTiers;
  readonly #inFlight = new Set<AbortController>();
  #running = false;
  /** Counts starts, so that what an earlier one still waits for is told apart. */
  #session = 0;
  #wasComplete = false;
  #base = { uploaded: 0, downloaded: 0 };
  #announceTimer: Timer | undefined;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#tiers = new TrackerTiers(options.tiers, options.random);
  }

  /** Begins to announce, with `started`. */
  start(): void {
    if (this.#running) return;
    const { uploaded, downloaded, left } = this.#options.stats();
    this.#base = { uploaded, downloaded };
    this.#wasComplete = left === 0;
    this.#running = true;
    this.#session++;
    // What can't ever be asked is told once; nothing would be heard of it otherwise.
    for (const tracker of this.#tiers.all) if (!tracker.url) this.#report(tracker);
    this.#announceDue();
  }

  /** The download is complete: tells the trackers, unless it already was when `start` was called. */
  completed(): void {
    if (!this.#running || this.#wasComplete) return;
    this.#wasComplete = true;
    this.#tiers.completed(this.#options.clock.now());
    this.#announceDue();
  }

  /** Announces to each tracker as soon as it allows: on the user's demand, and when the swarm has run out of peers. */
  announceNow(): void {
    if (!this.#running) return;
    this.#tiers.hurry(this.#options.clock.now());
    this.#announceDue();
  }

  /** Tracker clients came or went: trackers that none could ask may be asked now. */
  clientsChanged(): void {
    if (this.#running) this.#announceDue();
  }

  /** Adds a tracker as a tier of its own; one that is there already is left as it is. */
  addTracker(url: string): void {
    this.#tiers.add([url]);
    if (this.#running) this.#announceDue();
  }

  /** Tells the trackers that answered `started` that we leave, and waits for them, at most 4 seconds in all. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#announceTimer?.cancel();
    for (const controller of this.#inFlight) controller.abort(new Error("The swarm was stopped"));
    this.#inFlight.clear();
    await Promise.all(
      this.#tiers.leave().map(async (tracker) => {
        // Best effort: a tracker that can't be told forgets us by itself.
        await this.#ask(tracker, "stopped", STOP_TIMEOUT).catch(() => {});
        this.#report(tracker);
      }),
    );
  }

  /** Every tracker, in the order of preference. */
  statuses(): TrackerStatus[] {
    return this.#tiers.all.map((tracker) => this.#status(tracker));
  }

  #announceDue(): void {
    const now = this.#options.clock.now();
    const states = new Map(this.#tiers.all.map((tracker) => [tracker, tracker.state]));
    const due = this.#tiers.due(now, (url) => this.#missing(url));
    for (const [tracker, state] of states) if (tracker.state !== state) this.#report(tracker);
    for (const announce of due) void this.#announce(announce);
    this.#announceTimer?.cancel();
    const next = this.#tiers.nextTime(now);
    this.#announceTimer = next === undefined
      ? undefined
      : this.#options.clock.after(Math.max(0, next - now), () => this.#announceDue());
  }

  async #announce(announce: Announce): Promise<void> {
    const { tracker, event } = announce;
    const { clock, onPeers } = this.#options;
    const session = this.#session;
    const stale = (): boolean => !this.#running || session !== this.#session;
    let peers: readonly PeerAddress[] = [];
    let from: string | undefined;
    try {
      const answer = readAnswer(await this.#ask(tracker, event, ANNOUNCE_TIMEOUT));
      if (stale()) return;
      this.#tiers.answered(announce, clock.now(), answer);
      ({ peers, from } = answer);
      if (answer.externalIp !== undefined) this.#options.onExternalIp(answer.externalIp, from);
      if (answer.seeders === undefined && answer.leechers === undefined) void this.#scrape(tracker, stale);
    } catch (error) {
      if (stale()) return;
      const { retry, answer } = readRefusal(error);
      this.#tiers.failed(announce, clock.now(), errorText(error), { retry, answer });
      if (answer) ({ peers, from } = answer);
    }
    this.#report(tracker);
    this.#announceDue();
    if (peers.length > 0) onPeers(peers, withoutUndefined({ url: tracker.text, from }));
  }

  /** Asks for the figures that an announce didn't bring (BEP 48). A tracker that can't be scraped is left alone. */
  async #scrape(tracker: Tracker, stale: () => boolean): Promise<void> {
    const { id, grant } = this.#options;
    const infoHashes = [id.wireIds[0].bytes];
    try {
      const [figures] = await this.#call(
        tracker,
        SCRAPE_TIMEOUT,
        async (client, signal) => await client.scrape?.({ url: tracker.url!, infoHashes, grant }, signal) ?? [],
      );
      if (!figures || stale()) return;
      tracker.seeders = figures.seeders;
      tracker.leechers = figures.leechers;
      this.#report(tracker);
    } catch { /* it only counts */ }
  }

  #ask(tracker: Tracker, event: AnnounceEvent | undefined, timeout: number): Promise<AnnounceAnswer> {
    const { stats, id, peerId, key, grant } = this.#options;
    const url = tracker.url!;
    const now = stats();
    const request = withoutUndefined({
      url,
      id,
      infoHash: id.wireIds[0].bytes,
      peerId,
      port: now.port,
      uploaded: Math.max(0, now.uploaded - this.#base.uploaded),
      downloaded: Math.max(0, now.downloaded - this.#base.downloaded),
      left: now.left,
      event,
      wanted: event === "stopped" ? 0 : Math.max(0, Math.min(now.wanted, MAX_WANTED)),
      key,
      encryption: now.encryption,
      trackerId: tracker.trackerId,
      grant,
    });
    return this.#call(tracker, timeout, (client, signal) => client.announce(request, signal));
  }

  /** One call of a tracker's client. It ends at its timeout even if the client doesn't. */
  #call<T>(
    tracker: Tracker,
    timeout: number,
    run: (client: TrackerClient, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, client } = this.#options;
    const controller = new AbortController();
    const { signal } = controller;
    this.#inFlight.add(controller);
    const callTimeout = clock.after(
      timeout,
      () => controller.abort(new TrackerError(`No answer within ${timeout / 1000} s`)),
    );
    return new Promise<T>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      const provider = client(scheme(tracker.url!));
      if (!provider) throw new TrackerError(this.#missing(tracker.url!)!);
      run(provider, signal).then(resolve, reject);
    }).finally(() => {
      callTimeout.cancel();
      this.#inFlight.delete(controller);
    });
  }

  #missing(url: URL): string | undefined {
    if (this.#options.client(scheme(url))) return undefined;
    return `no plugin provides trackers of ${quote(url.protocol)}`;
  }

  #report(tracker: Tracker): void {
    this.#options.onStatus(this.#status(tracker));
  }

  #status(tracker: Tracker): TrackerStatus {
    const { text, tier, state, lastAt, nextAt, seeders, leechers, peers, error, warning } = tracker;
    const { clock } = this.#options;
    const wall = (at: number): number => Math.round(clock.wall() + at - clock.now());
    const waits = this.#running && (state === "working" || state === "failed");
    return withoutUndefined({
      url: text,
      tier,
      state,
      lastAnnounce: lastAt === undefined ? undefined : wall(lastAt),
      nextAnnounce: waits ? wall(nextAt) : undefined,
      seeders,
      leechers,
      peers,
      error,
      warning,
    });
  }
}

/** What a client answered: a plugin's may be anything, and its text goes to people. */
function readAnswer(answer: AnnounceAnswer): AnnounceAnswer {
  const { peers, interval, minInterval, seeders, leechers, trackerId, warning, externalIp, from } = answer;
  if (!Array.isArray(peers)) throw new TypeError("The tracker client's answer has no list of peers");
  return {
    peers,
    ...only((value) => typeof value === "number", { interval, minInterval, seeders, leechers }),
    ...only((value) => typeof value === "string", { trackerId, warning, externalIp, from }),
  };
}

/** What a refusal says beside its reason; nothing where a plugin's is no such thing. */
function readRefusal(error: unknown): Refusal {
  if (!(error instanceof TrackerError)) return {};
  const { retry, answer } = error;
  return { retry, answer: Array.isArray(answer?.peers) ? readAnswer(answer) : undefined };
}

function only<T extends object>(test: (value: unknown) => boolean, fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => test(value))) as Partial<T>;
}

function scheme(url: URL): string {
  return url.protocol.slice(0, -1);
}
