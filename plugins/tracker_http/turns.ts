/** Requests take turns: a runtime may have thousands of swarms, and all of them announce as it starts. @module */

/** How many requests may be under way at once. */
export interface TurnLimits {
  /** To one tracker, who would take more for an attack. */
  readonly perHost: number;
  /** In all: each is a connection, and thousands of them would leave none for peers. */
  readonly total: number;
}

/** Lets so many in, and others in the order in which they came. */
class Gate {
  readonly #limit: number;
  #inside = 0;
  readonly #waiting = new Set<() => void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get idle(): boolean {
    return this.#inside === 0;
  }

  /** Resolves when there is a place; rejects with the signal's reason when that aborts first. */
  async enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#inside < this.#limit) return void this.#inside++;
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.delete(enter);
        reject(signal.reason);
      };
      signal.addEventListener("abort", giveUp, { once: true });
      this.#waiting.add(enter);
    });
  }

  /** Gives the place to whoever waits longest. */
  leave(): void {
    const [next] = this.#waiting;
    if (!next) return void this.#inside--;
    this.#waiting.delete(next);
    next();
  }
}

export class Turns {
  readonly #limits: TurnLimits;
  readonly #all: Gate;
  readonly #hosts = new Map<string, Gate>();

  constructor(limits: TurnLimits) {
    this.#limits = limits;
    this.#all = new Gate(limits.total);
  }

  /** Runs a request to a host when its turn comes; rejects with the signal's reason when that aborts before. */
  async run<T>(host: string, signal: AbortSignal, request: () => Promise<T>): Promise<T> {
    const gate = this.#hosts.get(host) ?? new Gate(this.#limits.perHost);
    this.#hosts.set(host, gate);
    await gate.enter(signal);
    try {
      await this.#all.enter(signal);
      try {
        return await request();
      } finally {
        this.#all.leave();
      }
    } finally {
      gate.leave();
      if (gate.idle) this.#hosts.delete(host);
    }
  }
}
