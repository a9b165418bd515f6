// Calls that may wait behind one handler: a stuck handler must not fill memory with them.
const MAX_WAITING = 1_000;

/** Lets at most `limit` calls in at once; further ones wait in order. */
export class Gate {
  #inside = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(readonly limit: number) {}

  /**
   * Takes a place: at once (undefined), or when the promise resolves. It rejects with the signal's reason when that
   * aborts first, and with an error when too many calls wait already.
   */
  enter(signal?: AbortSignal): Promise<void> | undefined {
    if (this.#inside < this.limit) {
      this.#inside++;
      return undefined;
    }
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(new Error(`${MAX_WAITING} calls already wait for the ${this.limit} that run`));
    }
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal?.reason);
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#waiting.push(enter);
    });
  }

  /** Gives the place to the call that waits longest, or frees it. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#inside--;
  }
}
