import { DelayHistory } from "./delay_history.ts";

/**
 * The queueing delay that the window is steered to, in microseconds. RFC 6817 allows 100 ms at most; what a round trip
 * sends before it learns of the queue comes on top, and is to stay within that.
 */
export const TARGET = 75_000;
// Slow start ends where a queue begins to grow: it would double once more before it learns of the whole of it.
const SLOW_START_DELAY = 12_500;
// Bytes that the window grows by in a round trip while there is no queue: libutp's and libtorrent's figure.
const GAIN = 3_000;
// In packets: RFC 6928's start is 10, and one full packet each way must always be possible.
const FIRST_WINDOW = 4;
const MIN_WINDOW = 2;
// Bytes; more than any path that a peer is on can use, and bounds what is kept to be sent again.
const MAX_WINDOW = 4 * 1024 * 1024;

/**
 * How much may be under way (RFC 6817): grows while packets meet no queue, shrinks as the queue passes its target, is
 * halved on loss. Bytes.
 */
export class Ledbat {
  readonly delays = new DelayHistory();
  window: number;
  #threshold = Infinity;
  #packet: number;

  /** @param packet bytes of a full packet */
  constructor(packet: number) {
    this.#packet = packet;
    this.window = FIRST_WINDOW * packet;
  }

  get slowStart(): boolean {
    return this.window < this.#threshold;
  }

  set packet(bytes: number) {
    this.#packet = bytes;
  }

  /**
   * So many bytes were acknowledged.
   *
   * @param limited the window held more back: one that wasn't used must not grow
   */
  acked(bytes: number, limited: boolean): void {
    const { queueing } = this.delays;
    if (this.slowStart) {
      if (queueing < SLOW_START_DELAY) {
        if (limited) this.#set(Math.min(this.window + bytes, Math.max(this.#threshold, this.window)));
        return;
      }
      this.#threshold = this.window;
    }
    const off = (TARGET - queueing) / TARGET;
    if (off < 0) this.#set(this.window + Math.max(off, -0.5) * bytes);
    else if (limited) this.#set(this.window + GAIN * off * Math.min(1, bytes / this.window));
  }

  /** Something was lost: once for all that was under way together. */
  lost(): void {
    this.#set(this.window / 2);
    this.#threshold = this.window;
  }

  /** Nothing came back at all. */
  timedOut(): void {
    this.#threshold = Math.max(this.window / 2, MIN_WINDOW * this.#packet);
    this.window = MIN_WINDOW * this.#packet;
  }

  #set(window: number): void {
    this.window = Math.min(MAX_WINDOW, Math.max(MIN_WINDOW * this.#packet, window));
  }
}
