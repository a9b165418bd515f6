import type { Clock, HostIsolates, HostNet, IsolateOptions } from "../api/host.ts";
import type { Plugin } from "../api/plugin.ts";
import { SeededRandom } from "../host/memory/mod.ts";
import { Guest } from "./guest.ts";

/** Isolated code, for tests: in this process, over messages that are copied as real ones are. */
export class FakeIsolates implements HostIsolates {
  /** What was started, in order. */
  readonly started: FakeIsolate[] = [];
  readonly #clock: Clock;
  readonly #modules: Readonly<Record<string, unknown>>;

  /** `modules` are default exports by URL, without the query. */
  constructor(clock: Clock, modules: Readonly<Record<string, unknown>>) {
    this.#clock = clock;
    this.#modules = modules;
  }

  // deno-lint-ignore require-await -- as the interface has it
  async start(options: IsolateOptions): Promise<FakeIsolate> {
    const isolate = new FakeIsolate(options, this.#clock, this.#modules);
    this.started.push(isolate);
    return isolate;
  }

  /** How many run now. */
  get running(): number {
    return this.started.filter(({ alive }) => alive).length;
  }
}

/** One of {@link FakeIsolates}. */
export class FakeIsolate {
  alive = true;
  /** Takes messages, and answers none: as in an endless loop. */
  hangs = false;
  /** Hangs where it can't be ended. */
  stuck = false;
  readonly #options: IsolateOptions;
  readonly #guest: Guest;

  constructor(options: IsolateOptions, clock: Clock, modules: Readonly<Record<string, unknown>>) {
    this.#options = options;
    this.#guest = new Guest({
      clock,
      random: new SeededRandom("guest"),
      net: () => ({}) as HostNet, // none in these tests
      // deno-lint-ignore require-await -- as the interface has it
      load: async (url) => {
        const name = url.replace(/\?.*$/, "");
        if (Object.hasOwn(modules, name)) return { default: modules[name] };
        throw new Error(`Module not found "${name}"`);
      },
      post: (message) => this.say(message),
    });
  }

  post(message: unknown): void {
    const copy = structuredClone(message);
    queueMicrotask(() => this.alive && !this.hangs && this.#guest.receive(copy));
  }

  kill(): void {
    this.alive = false;
  }

  gone(): Promise<boolean> {
    return Promise.resolve(!this.stuck);
  }

  /** Sends a message from inside, as hostile code may. */
  say(message: unknown): void {
    if (this.hangs) return;
    const copy = structuredClone(message);
    queueMicrotask(() => this.alive && this.#options.onMessage(copy));
  }

  /** Ends by itself. */
  die(reason: string): void {
    this.alive = false;
    this.#options.onEnd(new Error(reason));
  }
}

/** A plugin as its file would export it. */
export function pluginNamed(name: string, rest: Partial<Plugin> = {}): Plugin {
  return { name, config: { expects: "a mapping", decode: ({ value }) => value }, setup: () => {}, ...rest };
}
