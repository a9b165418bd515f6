import { CREDIT, type GuestMessage } from "./protocol.ts";

/** An answer, or a part of one, to a call. */
export type Answer = Extract<GuestMessage, { readonly say: "values" | "done" | "error" }>;

/** How a call speaks to its guest. */
export interface LinkCallOptions {
  /** The reader took so many values. */
  credit(count: number): void;
  /** The reader is done with it; `settled` when the guest is too. */
  leave(settled: boolean): void;
}

/** One call of a handler in a sandbox, as Weft waits for it. */
export class LinkCall {
  readonly #options: LinkCallOptions;
  readonly #values: unknown[] = [];
  #room = CREDIT;
  #end: { readonly value?: unknown; readonly error?: Error } | undefined;
  #wake = (): void => {};

  constructor(options: LinkCallOptions) {
    this.#options = options;
  }

  /**
   * What the guest says to it.
   *
   * @throws {Error} when the guest sends more values than there is room for
   */
  take(answer: Answer): void {
    if (answer.say === "values") {
      this.#room -= answer.values.length;
      if (this.#room < 0) throw new Error(`more than ${CREDIT} values ahead of their reader`);
      this.#values.push(...answer.values);
    } else if (answer.say === "done") this.#end = { value: answer.value };
    else this.#end = { error: new Error(answer.message) };
    this.#wake();
  }

  /** The guest is gone. */
  fail(error: Error): void {
    this.#end ??= { error };
    this.#wake();
  }

  /** All its values, and then what it returned. Rejects when the handler failed, or with the signal's reason. */
  async *values(signal?: AbortSignal): AsyncGenerator<unknown, unknown, void> {
    const abort = (): void => this.fail(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      if (signal?.aborted) abort();
      let taken = 0;
      while (true) {
        if (this.#values.length > 0) {
          yield this.#values.shift();
          this.#room++;
          taken++;
        } else if (this.#end) {
          if (this.#end.error) throw this.#end.error;
          return this.#end.value;
        } else {
          // In one message for all, and none for a call that has ended.
          if (taken > 0) this.#options.credit(taken);
          taken = 0;
          await new Promise<void>((resolve) => this.#wake = resolve);
        }
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#options.leave(this.#end !== undefined && !signal?.aborted);
    }
  }

  /** What it returned. Rejects as {@link LinkCall.values} does. */
  async result(signal?: AbortSignal): Promise<unknown> {
    const step = await this.values(signal).next();
    if (step.done) return step.value;
    throw new Error("it sent values where an answer was asked for");
  }
}
