/** Who may not come back: IPs and addresses, each with the reason. */
export class BanList {
  readonly #reasons = new Map<string, string>();

  /** How many are banned. */
  get size(): number {
    return this.#reasons.size;
  }

  /** Bans an IP ("1.2.3.4") or one address ("1.2.3.4:6881"). The first reason stays. */
  add(target: string, reason: string): void {
    if (this.#reasons.has(target)) return;
    if (this.#reasons.size >= maxBans) this.#reasons.delete(this.#reasons.keys().next().value!);
    this.#reasons.set(target, reason);
  }

  /** Why an IP or an address is banned, or undefined when it is not. */
  reason(target: string): string | undefined {
    return this.#reasons.get(target);
  }

  /** Lifts a ban, and returns whether there was one. */
  remove(target: string): boolean {
    return this.#reasons.delete(target);
  }

  /** Every ban with its reason, oldest first. */
  entries(): IterableIterator<[string, string]> {
    return this.#reasons.entries();
  }
}

/** Bans remembered at once, about 1 MB: whoever has many addresses can't fill memory, the oldest ban lapses. */
const maxBans = 10_000;
