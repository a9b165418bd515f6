/**
 * One run of a process on a memory host. Once it is killed, nothing that it waits for settles any more, and nothing
 * it calls has an effect: just as its code would have stopped.
 */
export class Life {
  #alive = true;
  readonly #endings = new Set<() => void>();

  get alive(): boolean {
    return this.#alive;
  }

  /** Calls `run` when the process is killed, unless the result is called first. */
  atEnd(run: () => void): () => void {
    this.#endings.add(run);
    return () => void this.#endings.delete(run);
  }

  /** Resolves a microtask later; never, when the process is dead by then. */
  async step(): Promise<void> {
    await undefined;
    if (!this.#alive) await new Promise<never>(() => {});
  }

  /** `work`, which never settles for a process that is dead by then. */
  async guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      if (!this.#alive) await new Promise<never>(() => {});
    }
  }

  end(): void {
    this.#alive = false;
    for (const run of this.#endings) run();
    this.#endings.clear();
  }
}
