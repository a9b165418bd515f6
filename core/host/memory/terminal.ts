import type { Terminal } from "../../api/mod.ts";

/** A terminal that keeps what is written to it. */
export class MemoryTerminal implements Terminal {
  readonly interactive: boolean;
  readonly columns: number;
  /** Everything written so far. */
  output = "";
  errors = "";
  /** What the user types when asked, in order. */
  readonly answers: string[] = [];
  readonly #handlers = new Map<string, Set<() => void>>();

  constructor({ interactive = false, columns = 80 }: { interactive?: boolean; columns?: number } = {}) {
    this.interactive = interactive;
    this.columns = columns;
  }

  out(text: string): void {
    this.output += text;
  }

  error(text: string): void {
    this.errors += text;
  }

  ask(question: string): Promise<string | undefined> {
    if (!this.interactive) return Promise.resolve(undefined);
    this.output += question;
    return Promise.resolve(this.answers.shift());
  }

  onSignal(signal: "SIGINT" | "SIGTERM" | "SIGHUP", run: () => void): Disposable {
    const handlers = this.#handlers.get(signal) ?? new Set();
    this.#handlers.set(signal, handlers.add(run));
    return { [Symbol.dispose]: () => void handlers.delete(run) };
  }

  /** Delivers a signal; returns whether anyone listened. */
  signal(signal: "SIGINT" | "SIGTERM" | "SIGHUP"): boolean {
    const handlers = [...this.#handlers.get(signal) ?? []];
    for (const run of handlers) run();
    return handlers.length > 0;
  }
}
