import { type Clock, errorText, type Logger } from "../api/mod.ts";
import { type GuestMessage, type LogLevel, MAX_LINE } from "./protocol.ts";
import { Rate } from "./rate.ts";

// Lines at once, and a second after that: a plugin that prints in a loop should be read, not ended as a flood.
const BURST = 100;
const PER_SECOND = 20;

/** The log of a guest, which prints at Weft's: lines past a rate are counted, and the count told with the next line. */
export class GuestLog implements Logger {
  readonly #post: (message: GuestMessage) => void;
  readonly #rate: Rate;
  #leftOut = 0;

  constructor(clock: Clock, post: (message: GuestMessage) => void) {
    this.#post = post;
    this.#rate = new Rate(clock, BURST, PER_SECOND);
  }

  debug(message: string): void {
    this.write("debug", message);
  }

  info(message: string): void {
    this.write("info", message);
  }

  warn(message: string): void {
    this.write("warn", message);
  }

  error(message: string): void {
    this.write("error", message);
  }

  /** One line, cut where it is longer than any of use; the plugin may give anything. */
  write(level: LogLevel, message: unknown): void {
    if (!this.#rate.take()) return void this.#leftOut++;
    if (this.#leftOut > 0) {
      this.#post({ say: "log", level: "warn", message: `left out ${this.#leftOut} lines, for it writes too many` });
      this.#leftOut = 0;
    }
    this.#post({ say: "log", level, message: errorText(message).slice(0, MAX_LINE) });
  }
}
