/**
 * Which tracker to announce to, when, and with which event: BEP 12 (tiers), BEP 31 (retry in). A pure machine: it is
 * told the time and what came of each announce, and says what to do next. Times are monotonic milliseconds.
 *
 * Inside a tier trackers are tried in random order, the next one only when one fails, and one that works moves to the
 * front, as BEP 12 says. But every tier announces, not only the first that works: tiers are mostly used for trackers
 * that don't know of each other, and a swarm split among them finds together sooner.
 *
 * @module
 */
import { parseServiceUrl } from "../../wire/mod.ts";
import type { AnnounceAnswer, AnnounceEvent, Random, TrackerError } from "../../api/mod.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Shortest and longest time between announces, in milliseconds, whatever a tracker says: it can neither make us flood nor lose us. */
export const MIN_INTERVAL = 30 * SECOND;
export const MAX_INTERVAL = 24 * 60 * MINUTE;
/** When a tracker names no interval. */
export const DEFAULT_INTERVAL = 30 * MINUTE;
/** When a tracker names no min interval: not sooner than this on demand, so that impatience doesn't flood it. */
export const DEFAULT_MIN_INTERVAL = MINUTE;
/** Wait after a first failure; it doubles up to the longest. Up to a quarter is added, so that clients spread out. */
export const FIRST_RETRY = 15 * SECOND;
export const MAX_RETRY = 30 * MINUTE;
/** Most trackers of one swarm, so that a torrent can't aim thousands of announces at others. */
export const MAX_TRACKERS = 100;

/** One tracker of one swarm. */
export interface Tracker {
  readonly text: string;
  /** Undefined when the text is no URL that can be asked: such a tracker is shown, and never asked. */
  readonly url: URL | undefined;
  readonly tier: number;
  state: "idle" | "announcing" | "working" | "failed" | "disabled";
  /** When to announce next. */
  nextAt: number;
  /** Not before this, also on demand. */
  minAt: number;
  lastAt: number | undefined;
  failures: number;
  /** It knows that we take part: it answered `started`. */
  started: boolean;
  /** It has yet to be told that the download is complete. */
  owesCompleted: boolean;
  /** It said never to ask again (BEP 31). */
  barred: boolean;
  trackerId: string | undefined;
  seeders: number | undefined;
  leechers: number | undefined;
  peers: number | undefined;
  error: string | undefined;
  warning: string | undefined;
}

/** An announce to make. */
export interface Announce {
  readonly tracker: Tracker;
  readonly event: AnnounceEvent | undefined;
}

/** What a tracker that says no says beside. */
export type Refusal = Partial<Pick<TrackerError, "retry" | "answer">>;

/** The trackers of one swarm. */
export class TrackerTiers {
  readonly #tiers: Tracker[][] = [];
  readonly #known = new Set<string>();
  readonly #random: Random;

  constructor(tiers: readonly (readonly string[])[], random: Random) {
    this.#random = random;
    for (const tier of tiers) this.add(tier);
  }

  /** Every tracker, in the order of preference. */
  get all(): readonly Tracker[] {
    return this.#tiers.flat();
  }

  /** Adds a tier; trackers that are there already are left out. Returns those added. */
  add(urls: readonly string[]): readonly Tracker[] {
    const tier: Tracker[] = [];
    for (const text of urls) {
      if (this.#known.has(text) || this.#known.size >= MAX_TRACKERS) continue;
      this.#known.add(text);
      tier.push(newTracker(text, this.#tiers.length));
    }
    this.#shuffle(tier);
    if (tier.length > 0) this.#tiers.push(tier);
    return tier;
  }

  /**
   * What to announce now; those trackers are `announcing` until `answered` or `failed` is called. `missing` says why a
   * tracker can't be asked at all, if so: it is then disabled until it can.
   */
  due(now: number, missing: (url: URL) => string | undefined): Announce[] {
    const announces: Announce[] = [];
    for (const tier of this.#tiers) {
      for (const tracker of tier) enable(tracker, missing);
      const tracker = this.#current(tier, now);
      if (!tracker || tracker.state === "announcing" || tracker.nextAt > now) continue;
      tracker.state = "announcing";
      tracker.lastAt = now;
      announces.push({ tracker, event: nextEvent(tracker) });
    }
    return announces;
  }

  /** When `due` should be asked again; undefined when only an answer, or nothing at all, can change something. */
  nextTime(now: number): number | undefined {
    const times = this.#tiers.map((tier) => this.#current(tier, now)).filter((tracker) => tracker !== undefined)
      .filter((tracker) => tracker.state !== "announcing").map((tracker) => tracker.nextAt);
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** The tracker answered: it moves to the front of its tier. */
  answered({ tracker, event }: Announce, now: number, answer: AnnounceAnswer): void {
    const peers = answer.peers.length; // first, so that an answer that isn't one changes nothing
    const interval = clamp(answer.interval ?? DEFAULT_INTERVAL);
    const minInterval = clamp(answer.minInterval ?? Math.min(interval, DEFAULT_MIN_INTERVAL));
    if (event === "started") tracker.started = true;
    if (event === "completed") tracker.owesCompleted = false;
    tracker.state = "working";
    tracker.failures = 0;
    tracker.minAt = now + minInterval;
    tracker.nextAt = tracker.owesCompleted ? now : now + Math.max(interval, minInterval);
    tracker.trackerId = answer.trackerId ?? tracker.trackerId;
    tracker.seeders = answer.seeders;
    tracker.leechers = answer.leechers;
    tracker.peers = peers;
    tracker.error = undefined;
    tracker.warning = answer.warning;
    const tier = this.#tiers[tracker.tier];
    tier.splice(tier.indexOf(tracker), 1);
    tier.unshift(tracker);
  }

  /**
   * The tracker failed, in the words of `error`. When it is asked again is its own wish, if it said one: by BEP 31, or the
   * intervals beside its refusal. The next of its tier is due now.
   */
  failed({ tracker }: Announce, now: number, error: string, { retry, answer }: Refusal = {}): void {
    tracker.error = error;
    tracker.warning = answer?.warning;
    tracker.failures++;
    tracker.barred = retry === "never";
    tracker.state = tracker.barred ? "disabled" : "failed";
    if (typeof retry === "number") {
      tracker.nextAt = tracker.minAt = now + clamp(retry);
      return;
    }
    const wait = FIRST_RETRY * 2 ** Math.min(tracker.failures - 1, 20);
    const jitter = 1 + this.#random.below(1000) / 4000;
    const { interval = 0, minInterval = 0 } = answer ?? {};
    const wished = interval > 0 || minInterval > 0 ? clamp(Math.max(interval, minInterval)) : 0;
    tracker.nextAt = now + Math.max(Math.min(wait * jitter, MAX_RETRY), wished);
    tracker.minAt = now + Math.max(FIRST_RETRY, minInterval > 0 ? clamp(minInterval) : 0);
  }

  /** The download is complete: trackers that know of it as a download are told at once. */
  completed(now: number): void {
    for (const tracker of this.all) {
      if (!tracker.started && tracker.state !== "announcing") continue;
      tracker.owesCompleted = true;
      if (tracker.state === "working") tracker.nextAt = now;
    }
  }

  /** Announces as soon as each tracker allows. */
  hurry(now: number): void {
    for (const tracker of this.all) tracker.nextAt = Math.min(tracker.nextAt, Math.max(now, tracker.minAt));
  }

  /** The trackers to tell that we leave. All is then as before the first announce. */
  leave(): readonly Tracker[] {
    const joined = this.all.filter((tracker) => tracker.started);
    for (const tracker of this.all) {
      tracker.started = tracker.owesCompleted = false;
      if (tracker.state !== "disabled") tracker.state = "idle";
      tracker.nextAt = 0;
    }
    return joined;
  }

  /** Whose turn it is in a tier: the one being asked, else the first that isn't waiting to be tried again, else the one that waits least. */
  #current(tier: readonly Tracker[], now: number): Tracker | undefined {
    const usable = tier.filter((tracker) => tracker.state !== "disabled");
    return usable.find(({ state }) => state === "announcing") ??
      usable.find(({ state, nextAt }) => state !== "failed" || nextAt <= now) ??
      usable.reduce<Tracker | undefined>(
        (soonest, next) => soonest && soonest.nextAt <= next.nextAt ? soonest : next,
        undefined,
      );
  }

  #shuffle(tier: Tracker[]): void {
    for (let i = tier.length - 1; i > 0; i--) {
      const j = this.#random.below(i + 1);
      [tier[i], tier[j]] = [tier[j], tier[i]];
    }
  }
}

function readUrl(text: string): Pick<Tracker, "url" | "error"> {
  try {
    return { url: parseServiceUrl(text), error: undefined };
  } catch (error) {
    return { url: undefined, error: (error as Error).message };
  }
}

function newTracker(text: string, tier: number): Tracker {
  const { url, error } = readUrl(text);
  return {
    text,
    url,
    tier,
    state: url ? "idle" : "disabled",
    nextAt: 0,
    minAt: 0,
    lastAt: undefined,
    failures: 0,
    started: false,
    owesCompleted: false,
    barred: false,
    trackerId: undefined,
    seeders: undefined,
    leechers: undefined,
    peers: undefined,
    error,
    warning: undefined,
  };
}

function enable(tracker: Tracker, missing: (url: URL) => string | undefined): void {
  if (!tracker.url || tracker.barred || tracker.state === "announcing") return;
  const reason = missing(tracker.url);
  if (reason !== undefined) {
    tracker.state = "disabled";
    tracker.error = reason;
  } else if (tracker.state === "disabled") {
    tracker.state = "idle";
    tracker.error = undefined;
  }
}

function nextEvent(tracker: Tracker): AnnounceEvent | undefined {
  if (!tracker.started) return "started";
  return tracker.owesCompleted ? "completed" : undefined;
}

function clamp(interval: number): number {
  return interval > MIN_INTERVAL ? Math.min(interval, MAX_INTERVAL) : MIN_INTERVAL; // NaN too
}
