/** Programs that a test steers: lines of JSON in, lines of JSON out. */
import type { Site } from "../netns.ts";

/** How long an answer may take, in milliseconds: then a test fails instead of waiting. */
const patience = 30_000;
/** How much of what a program wrote besides its answers an error shows, in characters. */
const shownTail = 4000;

/** A line that a program writes. */
interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** One answer that is waited for. */
interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** A program that answers each request, `{ id, do, … }`, with `{ id, result }` or `{ id, error }`. Disposing ends it. */
export class Steered implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiters = new Map<number, Waiter>();
  readonly #read: Promise<unknown>;
  #log = "";
  #last = 0;
  #ended = false;

  /** Resolves once the program says that it is ready, with an answer to the request 0 that was never asked. */
  readonly ready: Promise<unknown>;

  /** Starts `argv` at a site. */
  constructor(site: Site, argv: readonly string[], env?: Record<string, string>) {
    const [command, ...args] = site.command(argv);
    const options = { args, env, stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    this.#child = new Deno.Command(command, options).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.ready = this.#wait(0, argv[1] ?? argv[0]);
    this.ready.catch(() => {});
    this.#read = Promise.all([this.#readAnswers(), this.#readErrors()]);
  }

  /** What it wrote besides answers, the last part. */
  get log(): string {
    return this.#log;
  }

  /** Asks for something and gives the answer. */
  async ask<Result = unknown>(act: string, more: Record<string, unknown> = {}): Promise<Result> {
    const id = ++this.#last;
    const answer = this.#wait(id, act);
    answer.catch(() => {});
    const line = new TextEncoder().encode(JSON.stringify({ ...more, id, do: act }) + "\n");
    await this.#input.write(line).catch(() => this.#settle(id, { error: "the program ended" }));
    return await answer as Result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#input.close().catch(() => {});
    await this.#read;
    for (const id of [...this.#waiters.keys()]) this.#settle(id, { error: "it was ended" });
  }

  #wait(id: number, act: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, { error: `no answer within ${patience} ms` }), patience);
      const fail = (error: Error): void => reject(new Error(`"${act}" fails: ${error.message}\n${this.#shown}`));
      this.#waiters.set(id, { resolve, reject: fail, timer });
    });
  }

  #settle(id: number, { result, error }: Omit<Answer, "id">): void {
    const waiter = this.#waiters.get(id);
    if (!waiter) return;
    this.#waiters.delete(id);
    clearTimeout(waiter.timer);
    if (error === undefined) waiter.resolve(result);
    else waiter.reject(new Error(error));
  }

  get #shown(): string {
    return this.#log.slice(-shownTail);
  }

  async #readAnswers(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      for (const line of parts) {
        if (!line.startsWith('{"id":')) {
          this.#log = (this.#log + line + "\n").slice(-shownTail);
          continue;
        }
        const { id, ...answer } = JSON.parse(line) as Answer;
        this.#settle(id, answer);
      }
    }
    if (this.#ended) return;
    for (const id of [...this.#waiters.keys()]) this.#settle(id, { error: "the program ended" });
  }

  async #readErrors(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#log = (this.#log + text).slice(-shownTail);
    }
  }
}
