import { setImmediate } from "node:timers";
import type { Clock, Timer } from "../../api/mod.ts";

// setTimeout takes a signed 32-bit delay, and fires at once beyond it.
const LONGEST_DELAY = 2 ** 31 - 1;

/** The machine's time. */
export const denoClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(milliseconds: number, run: () => void): Timer {
    const id = setTimeout(run, Math.min(milliseconds, LONGEST_DELAY));
    return { cancel: () => clearTimeout(id) };
  },
  turn: () => new Promise((resolve) => void setImmediate(resolve)),
};
