// BEP 29: 1 s before anything is known, and never less than 500 ms, since acks may be delayed.
const FIRST_TIMEOUT = 1_000;
const MIN_TIMEOUT = 500;
// Longer waits would only keep a dead connection.
const MAX_TIMEOUT = 30_000;
// The other side may wait so long with an ack (ms), libutp as well.
const ACK_DELAY = 25;

/** The round trip's time and its variance, and the timeouts that follow from them. Milliseconds. */
export class RoundTrip {
  /** Smoothed; 0 before the first sample. */
  mean = 0;
  /** The shortest; Infinity before the first sample. */
  least = Infinity;
  #variance = 0;
  #backoff = 1;

  /** When nothing came for so long, everything under way counts as lost. */
  get timeout(): number {
    const base = this.mean === 0 ? FIRST_TIMEOUT : Math.max(MIN_TIMEOUT, this.mean + 4 * this.#variance);
    return Math.min(MAX_TIMEOUT, base * this.#backoff);
  }

  /** When nothing came for so long, it is worth sending the last packet again, to hear what is missing. */
  get probeTimeout(): number {
    return this.mean === 0 ? Infinity : 2 * this.mean + 4 * this.#variance + ACK_DELAY;
  }

  /** One packet, sent only once, was acknowledged after `time`. */
  sample(time: number): void {
    this.least = Math.min(this.least, time);
    if (this.mean === 0) [this.mean, this.#variance] = [Math.max(time, 0.01), time / 2];
    else {
      this.#variance += (Math.abs(this.mean - time) - this.#variance) / 4;
      this.mean += (time - this.mean) / 8;
    }
  }

  /** A timeout passed: the next one takes twice as long. */
  backOff(): void {
    this.#backoff = Math.min(this.#backoff * 2, 64);
  }

  /** Something new was acknowledged. */
  progressed(): void {
    this.#backoff = 1;
  }
}
