/** The runtime's sequenced events: numbered, kept for a while for those who come late, told to whoever listens. @module */
import type { Clock, RuntimeEvent } from "../api/mod.ts";

// Events kept for a reader that asks for what it missed.
const KEPT_EVENTS = 2_000;

export class EventLog {
  readonly #clock: Clock;
  readonly #kept: RuntimeEvent[] = [];
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  #sequence = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of the last event. */
  get sequence(): number {
    return this.#sequence;
  }

  publish(event: string, data: Readonly<Record<string, unknown>>, swarm?: string): void {
    const published: RuntimeEvent = { sequence: ++this.#sequence, time: this.#clock.wall(), event, swarm, data };
    this.#kept.push(published);
    if (this.#kept.length > 2 * KEPT_EVENTS) this.#kept.splice(0, KEPT_EVENTS);
    for (const listener of this.#listeners) this.#tell(listener, published);
  }

  /** See Runtime.subscribe. A reader that asks for what is no longer kept gets a `gap` first. */
  subscribe(listener: (event: RuntimeEvent) => void, since = this.#sequence): Disposable {
    const first = this.#kept[0]?.sequence ?? this.#sequence + 1;
    if (since + 1 < first) {
      const lost = first - since - 1;
      this.#tell(listener, { sequence: first - 1, time: this.#clock.wall(), event: "gap", data: { lost } });
    }
    for (const event of this.#kept) if (event.sequence > since) this.#tell(listener, event);
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #tell(listener: (event: RuntimeEvent) => void, event: RuntimeEvent): void {
    try {
      listener(event);
    } catch {
      // A listener that throws must not stop the kernel, nor those behind it.
      this.#listeners.delete(listener);
    }
  }
}

/** What a hook carries as plain data: ids as hex, addresses as text. */
export function plainEvent(what: object): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(what)) {
    if (key === "id" || value === undefined) continue;
    plain[key] = key === "address" ? (value as { key: string }).key : value;
  }
  return plain;
}
