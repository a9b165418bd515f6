import type { Clock, Logger, PluginError } from "../api/mod.ts";
import type { Owner } from "./registration.ts";

// A handler that fails at every call would bury the rest of the log, and its sixth line says nothing new.
const MAX_LINES = 5;
/** Milliseconds from the first line on in which {@link MAX_LINES} are written. */
const WINDOW = 60_000;

/** Writes a line for each failure, but only a few a minute for one owner at one hook. */
export class FailureLog {
  // By the owner itself: what a retired generation failed is forgotten with it.
  readonly #windows = new WeakMap<Owner, Map<string, { readonly since: number; failures: number }>>();

  constructor(readonly clock: Clock, readonly log: Pick<Logger, "warn">) {}

  /** Writes `failure`, or once a minute that further ones are only counted, or nothing. */
  note(owner: Owner, failure: PluginError): void {
    const now = this.clock.now();
    let windows = this.#windows.get(owner);
    if (!windows) this.#windows.set(owner, windows = new Map());
    let window = windows.get(failure.hook);
    if (!window || now - window.since >= WINDOW) windows.set(failure.hook, window = { since: now, failures: 0 });
    window.failures++;
    if (window.failures <= MAX_LINES) this.log.warn(failure.message);
    else if (window.failures === MAX_LINES + 1) {
      this.log.warn(
        `Plugin "${failure.plugin}" keeps failing in ${failure.hook}: ` +
          "further failures are only counted until the minute is over",
      );
    }
  }
}
