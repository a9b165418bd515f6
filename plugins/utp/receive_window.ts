// Packets of one burst that Deno's UDP socket holds, with some to spare for others (it has room for about 92): what a
// sender may have under way when the path itself holds nothing.
const SOCKET = 64 * 1_400;
// What may wait to be read (bytes), whatever the path holds: a peer whom nobody reads fills no more.
const MAX_WINDOW = 1024 * 1024;
// A round trip that short (ms) is not the path's, but what two busy hosts take.
const NO_PATH = 4;
// Bytes are counted for at least so long (ms): a burst is no rate.
const SAMPLE = 10;

/** The window that a connection begins with, in bytes. */
export const FIRST_WINDOW: number = SOCKET;

/**
 * How much the other side may send unasked: what the path holds at twice the rate that came so far, so that it can grow,
 * and what the socket holds. More than that would only overflow the socket, which some answer with half a second of
 * silence for every packet lost.
 */
export class ReceiveWindow {
  size: number = FIRST_WINDOW;
  #since: number;
  #bytes = 0;

  constructor(now: number) {
    this.#since = now;
  }

  /** So many bytes came, over a path of this round trip (ms); Infinity while that isn't known. */
  received(now: number, bytes: number, roundTrip: number): void {
    this.#bytes += bytes;
    const passed = now - this.#since;
    if (roundTrip === Infinity || passed < Math.max(SAMPLE, roundTrip)) return;
    // It never shrinks: what was promised may be under way.
    const held = 2 * this.#bytes / passed * Math.max(0, roundTrip - NO_PATH);
    this.size = Math.min(MAX_WINDOW, Math.max(this.size, SOCKET + held));
    [this.#since, this.#bytes] = [now, 0];
  }
}
