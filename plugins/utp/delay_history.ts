// How far back the smallest delay is looked for: long enough for a queue to have been empty once, short enough to
// notice that the path changed (RFC 6817 suggests 10 minutes).
const MINUTES = 10;
const MINUTE = 60_000;
// A packet that waited for others, or for a busy host, says nothing of the queue: the least of so many counts.
const RECENT = 4;

/**
 * The queueing delay of one direction (RFC 6817): the latest one-way delays over the smallest of the last minutes. The
 * two clocks may differ by anything. Microseconds, modulo 2^32.
 */
export class DelayHistory {
  readonly #minutes: number[] = [];
  readonly #recent: number[] = [];
  #minuteBegan = 0;
  #next = 0;

  /** The smallest delay; undefined before the first one. */
  get base(): number | undefined {
    return this.#minutes.length === 0 ? undefined : this.#minutes.reduce(lesser);
  }

  /** Takes a measured delay in, at `now` (milliseconds). */
  add(now: number, delay: number): void {
    if (this.#minutes.length === 0) this.#minuteBegan = now;
    if (this.#minutes.length === 0 || now - this.#minuteBegan >= MINUTE) {
      this.#minuteBegan = now;
      this.#minutes.push(delay);
      if (this.#minutes.length > MINUTES) this.#minutes.shift();
    } else {
      const last = this.#minutes.length - 1;
      this.#minutes[last] = lesser(this.#minutes[last], delay);
    }
    this.#recent[this.#next] = delay;
    this.#next = (this.#next + 1) % RECENT;
  }

  /** The present queueing delay; 0 before anything is known. */
  get queueing(): number {
    const { base } = this;
    return base === undefined ? 0 : this.#recent.reduce(lesser) - base >>> 0;
  }

  /** The other side's clock runs slower than ours by as much: what was measured before would read so much higher. */
  shift(by: number): void {
    for (let i = 0; i < this.#minutes.length; i++) this.#minutes[i] = this.#minutes[i] + by >>> 0;
  }
}

/** The earlier of two times that are less than half of 2^32 apart. */
function lesser(a: number, b: number): number {
  return (a - b | 0) < 0 ? a : b;
}
