import { setImmediate } from "node:timers";
import TinyQueue from "tinyqueue";
import type { Timer } from "../../api/mod.ts";

interface Entry extends Timer {
  at: number;
  order: number;
  run: (() => void) | undefined;
}

// Request timeouts are set far ahead and nearly all cancelled: sweep once they are most of the heap.
const SWEEP_AT = 4096;

// Calls happen at multiples of 1/1024 ms, which add and subtract without rounding: else a timer for "when it is due" could
// fire just before that, be set again for a time that is lost in rounding, and hold time still for good.
const TICKS = 1024;

/** Virtual time: a heap of calls, and a loop that jumps from one to the next. */
export class Timeline {
  #now = 0;
  #order = 0;
  #cancelled = 0;
  #held = 0;
  #running = false;
  #heap = new TinyQueue<Entry>([], compare);

  /** Milliseconds since the simulation began. */
  get now(): number {
    return this.#now;
  }

  /** How many calls are waiting. */
  get pending(): number {
    return this.#heap.length - this.#cancelled;
  }

  after(milliseconds: number, run: () => void): Timer {
    const entry: Entry = {
      at: Math.ceil((this.#now + Math.max(0, milliseconds || 0)) * TICKS) / TICKS,
      order: this.#order++,
      run,
      cancel: () => {
        if (!entry.run) return;
        entry.run = undefined;
        if (++this.#cancelled > SWEEP_AT && this.#cancelled > this.#heap.length / 2) this.#sweep();
      },
    };
    this.#heap.push(entry);
    return entry;
  }

  /** Resolves after what is due already, without time passing. */
  turn(): Promise<void> {
    return new Promise((resolve) => void this.after(0, resolve));
  }

  /** Holds virtual time still until `work` settles: for what really runs elsewhere, such as `crypto.subtle`. */
  async hold<T>(work: Promise<T>): Promise<T> {
    this.#held++;
    try {
      return await work;
    } finally {
      this.#held--;
    }
  }

  /**
   * Runs calls in order, with all microtasks between them, until `done` (asked before each) or until time would pass
   * `limit`. Resolves whether it is done.
   */
  async advance(limit: number, done: () => boolean): Promise<boolean> {
    if (this.#running) throw new Error("Cannot run the simulation: it is already running, await the earlier call");
    this.#running = true;
    try {
      for (;;) {
        await this.#turn();
        if (done()) return true;
        const next = this.#next();
        if (!next || next.at > limit) {
          if (limit !== Infinity) this.#now = limit;
          return false;
        }
        this.#heap.pop();
        this.#now = next.at;
        const run = next.run!;
        next.run = undefined;
        run();
      }
    } finally {
      this.#running = false;
    }
  }

  #next(): Entry | undefined {
    for (let entry = this.#heap.peek(); entry; entry = this.#heap.peek()) {
      if (entry.run) return entry;
      this.#heap.pop();
      this.#cancelled--;
    }
    return undefined;
  }

  #sweep(): void {
    this.#heap = new TinyQueue(this.#heap.data.filter((entry) => entry.run), compare);
    this.#cancelled = 0;
  }

  /** A macrotask turn runs after every microtask that is due, however deep they nest. */
  async #turn(): Promise<void> {
    do await new Promise<void>((resolve) => void setImmediate(resolve)); while (this.#held > 0);
  }
}

function compare(a: Entry, b: Entry): number {
  return a.at - b.at || a.order - b.order;
}
