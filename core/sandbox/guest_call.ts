import { type Clock, faultText, type GatherStream, type Handler } from "../api/mod.ts";
import type { GuestHandler } from "./guest_scope.ts";
import { CREDIT, type GuestMessage, MAX_LINE } from "./protocol.ts";

/** One call of one handler, in the plugin's sandbox. */
export class GuestCall {
  readonly #call: number;
  readonly #clock: Clock;
  readonly #post: (message: GuestMessage) => void;
  readonly #controller = new AbortController();
  #credit = CREDIT;
  #wake = (): void => {};
  #batch: unknown[] = [];

  constructor(call: number, clock: Clock, post: (message: GuestMessage) => void) {
    this.#call = call;
    this.#clock = clock;
    this.#post = post;
  }

  /** Runs the handler to its end and tells how it ended, unless the call is cancelled before. Never rejects. */
  async run(target: GuestHandler | undefined, input: unknown): Promise<void> {
    try {
      if (!target) throw new Error("the handler was detached");
      const value = await this.#answer(target, input);
      if (this.#controller.signal.aborted) return;
      this.#flush();
      this.#post({ say: "done", call: this.#call, value });
    } catch (error) {
      if (this.#controller.signal.aborted) return;
      this.#flush();
      this.#post({ say: "error", call: this.#call, message: faultText(error).slice(0, MAX_LINE) });
    }
  }

  /** Weft took `count` values. */
  more(count: number): void {
    this.#credit += count;
    this.#wake();
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.#controller.abort(new Error("the call was cancelled"));
    this.#wake();
  }

  async #answer({ hook, handler }: GuestHandler, plain: unknown): Promise<unknown> {
    const { codec } = hook.contract;
    const { signal } = this.#controller;
    const input = codec.decodeInput(plain);
    if (hook.verb === "event") {
      await (handler as Handler<"event", unknown, void>)(input);
      return undefined;
    }
    if (hook.verb === "first" || hook.verb === "every") {
      const answer = await (handler as Handler<"first", unknown, unknown>)(input, signal);
      return answer === undefined ? undefined : codec.encodeOutput(answer);
    }
    const stream = (handler as Handler<"gather", unknown, unknown>)(input, signal);
    const again = await this.#gather(stream, (value) => codec.encodeOutput(value));
    return typeof again === "number" && again >= 0 ? again : undefined;
  }

  /** Sends what the generator yields, never more than Weft has room for; returns its `again`. */
  async #gather(stream: GatherStream<unknown>, encode: (value: unknown) => unknown): Promise<number | undefined> {
    const { signal } = this.#controller;
    signal.addEventListener("abort", () => void stream.return(undefined).catch(() => {}), { once: true });
    while (!signal.aborted) {
      const step = await stream.next();
      if (step.done) return step.value?.again;
      this.#batch.push(encode(step.value));
      // What is yielded without a wait goes in one message; what had a wait behind it goes at once.
      if (this.#batch.length === 1) void this.#clock.turn().then(() => this.#flush());
      if (--this.#credit > 0) continue;
      this.#flush();
      while (this.#credit === 0 && !signal.aborted) await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #flush(): void {
    if (this.#batch.length === 0 || this.#controller.signal.aborted) return;
    this.#post({ say: "values", call: this.#call, values: this.#batch });
    this.#batch = [];
  }
}
