// What the cell says: go on; end; the thread ends now.
const RUNS = 0;
const END = 1;
const ENDS = 2;
// How long a thread may take to look, as in one long step, and how often to see whether it did (ms).
const PATIENCE = 15_000;
const INTERVAL = 20;
// Memory that is shared is slow to read (10 ns): one call in so many looks.
const EVERY = 16;

/**
 * Ends a thread that loops for ever. Since Deno 2.7.6 `Worker.terminate()` leaves one to itself
 * (denoland/deno#35657), so the thread looks at a cell of memory that it shares with Weft: at each turn of a loop and
 * at each beginning of a function (core/guest/safepoint_code.ts), and while it waits.
 */
export class Safepoint {
  readonly cell: Int32Array;

  constructor(cell: Int32Array = new Int32Array(new SharedArrayBuffer(4))) {
    this.cell = cell;
  }

  /** Tells the thread to end. */
  request(): void {
    Atomics.compareExchange(this.cell, 0, RUNS, END);
    Atomics.notify(this.cell, 0);
  }

  /** Whether the thread has ended by it; false when it is stuck where it can't look. */
  async reached(): Promise<boolean> {
    const ends = (): boolean => Atomics.load(this.cell, 0) === ENDS;
    for (let waited = 0; waited < PATIENCE && !ends(); waited += INTERVAL) {
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
    return ends();
  }
}

/** The thread's own side of its {@link Safepoint}. */
export interface GuestSafepoint {
  /** To be called wherever the thread could go on for ever: ends it when it shall. */
  readonly look: () => void;
  /** Ends it now. */
  readonly end: () => never;
}

/** @param close ends the thread that calls it, at its next turn of a loop */
export function guestSafepoint(cell: Int32Array, close: () => void): GuestSafepoint {
  const { load, store, waitAsync } = Atomics; // plugins may put others in their place
  const end = (): never => {
    store(cell, 0, ENDS);
    close();
    for (;;);
  };
  let calls = 0;
  const look = (): void => {
    calls = (calls + 1) | 0; // small for ever, so that it stays quick
    if (calls % EVERY === 0 && load(cell, 0) !== RUNS) end();
  };
  void Promise.resolve(waitAsync(cell, 0, RUNS).value).then(end);
  return { look, end };
}
