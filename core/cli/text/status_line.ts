/** One line of progress that rewrites itself. @module */
import type { Clock, Terminal } from "../../api/mod.ts";
import { cut } from "./text.ts";

/** Milliseconds between two redraws: five a second are smooth enough, and cost nothing. */
export const REDRAW_INTERVAL = 200;

/** A line that is redrawn in place on a terminal, and is silent elsewhere. */
export class StatusLine {
  #last = -Infinity;

  constructor(readonly terminal: Terminal, readonly clock: Clock) {}

  /** Shows `text`, unless it was redrawn only just now. */
  show(text: string): void {
    const now = this.clock.now();
    if (!this.terminal.interactive || now - this.#last < REDRAW_INTERVAL) return;
    this.#last = now;
    this.terminal.error(`\r\x1b[K${cut(text, this.terminal.columns - 1)}`);
  }

  /** Removes the line. */
  clear(): void {
    if (this.#last !== -Infinity) this.terminal.error("\r\x1b[K");
  }
}
