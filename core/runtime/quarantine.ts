import type { QuarantineSettings } from "../api/mod.ts";

/**
 * When one entry of the profile is left out, and for how long. So many faults within so long begin a pause; each
 * further pause is twice as long, up to a longest, until the plugin ran for as long as its last pause without a fault.
 * Times are milliseconds of one monotonic clock.
 */
export class Quarantine {
  readonly #settings: () => QuarantineSettings;
  /** When the latest faults were, oldest first: fewer than make a pause. */
  #faults: readonly number[] = [];
  /** How long the last pause was; 0 when the next one is a first one. */
  #lastPause = 0;
  #until: number | undefined;
  /** When it last failed or was let in again. */
  #wellSince = 0;

  /** `settings` is asked at every fault, so that a reload's count from then on. */
  constructor(settings: () => QuarantineSettings) {
    this.#settings = settings;
  }

  /** When the present pause is over; undefined while the plugin takes part. */
  get until(): number | undefined {
    return this.#until;
  }

  /** Notes a fault; how long the plugin is left out from now, or undefined to go on. Faults while paused don't count. */
  fault(now: number): number | undefined {
    if (this.#until !== undefined) return undefined;
    const { faults, within, backoff, longest } = this.#settings();
    if (now - this.#wellSince >= Math.max(this.#lastPause, within)) this.#lastPause = 0;
    this.#wellSince = now;
    this.#faults = [...this.#faults.filter((at) => now - at <= within), now];
    if (this.#faults.length < faults) return undefined;
    this.#faults = [];
    this.#lastPause = Math.min(Math.max(backoff, 2 * this.#lastPause), longest);
    this.#until = now + this.#lastPause;
    return this.#lastPause;
  }

  /** The pause is over: the plugin takes part again, and its faults are counted anew. */
  release(now: number): void {
    if (this.#until === undefined) return;
    this.#until = undefined;
    this.#wellSince = now;
  }
}
