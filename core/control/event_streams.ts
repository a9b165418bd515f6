/** Events of a runtime as streams of JSON lines. @module */
import type { Runtime, RuntimeEvent } from "../api/mod.ts";
import { utf8Encode } from "../wire/mod.ts";

/** Most events that wait for one reader, so that a slow one can't fill memory; past it they are dropped as a `gap`. */
const MAX_WAITING = 10_000;

/** The event streams that callers have open. */
export class EventStreams {
  readonly #open = new Set<() => void>();

  constructor(readonly runtime: Runtime) {}

  /** A stream of every event after `since` (from now if not given), one JSON object a line. */
  open(since?: number): ReadableStream<Uint8Array> {
    let waiting: RuntimeEvent[] = [];
    let wake: (() => void) | undefined;
    let subscription: Disposable | undefined;
    let ended = false;
    const end = (): void => {
      subscription?.[Symbol.dispose]();
      this.#open.delete(end);
      ended = true;
      wake?.();
    };
    const take = (event: RuntimeEvent): void => {
      if (waiting.length >= MAX_WAITING) {
        const gap = { sequence: event.sequence, time: event.time, event: "gap", data: { lost: waiting.length } };
        waiting = [gap];
      } else {
        waiting.push(event);
      }
      wake?.();
    };
    return new ReadableStream({
      start: () => {
        this.#open.add(end);
        subscription = this.runtime.subscribe(take, since);
      },
      async pull(controller): Promise<void> {
        if (waiting.length === 0 && !ended) await new Promise<void>((resolve) => wake = resolve);
        wake = undefined;
        const lines = waiting.map((event) => JSON.stringify(event) + "\n").join("");
        waiting = [];
        if (lines) controller.enqueue(utf8Encode(lines));
        if (ended) controller.close();
      },
      cancel: end,
    });
  }

  /** Ends every stream. */
  close(): void {
    for (const end of [...this.#open]) end();
  }
}
