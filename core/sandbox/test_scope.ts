import type { Clock, Handler, Hook, PluginScope, PluginState, PublicSwarm, SwarmsView, Verb } from "../api/mod.ts";
import { SeededRandom } from "../host/memory/mod.ts";

/** A scope for tests, which keeps what a plugin acquires. */
export class TestScope implements PluginScope<unknown> {
  readonly name = "test";
  readonly config = {};
  readonly random = new SeededRandom("scope");
  readonly lines: string[] = [];
  readonly handlers: { readonly hook: string; readonly handler: unknown }[] = [];
  readonly known: PublicSwarm[] = [];
  /** How often it was asked to have holds looked at again. */
  reviews = 0;
  holds = 0;
  /** What the generation before carried, and what this one would. */
  before: unknown;
  save: (() => unknown) | undefined;
  readonly stored = new Map<string, Uint8Array>();
  readonly state: PluginState = {
    get: (key) => Promise.resolve(this.stored.get(key)),
    // deno-lint-ignore require-await -- what it throws must reject
    set: async (key, value) => {
      if (value.length > 10) throw new Error("more than 10 bytes");
      this.stored.set(key, value);
    },
  };
  readonly clock: Clock;
  readonly #abort = new AbortController();
  readonly #cleanup: (() => unknown)[] = [];
  readonly log = {
    debug: (message: string) => void this.lines.push(`debug ${message}`),
    info: (message: string) => void this.lines.push(`info ${message}`),
    warn: (message: string) => void this.lines.push(`warn ${message}`),
    error: (message: string) => void this.lines.push(`error ${message}`),
  };

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get net(): never {
    throw new Error("no network in this test");
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get swarms(): SwarmsView {
    const known = this.known;
    return {
      [Symbol.iterator]: () => known[Symbol.iterator](),
      get: () => undefined,
      review: () => void this.reviews++,
      size: known.length,
      port: 6881,
    };
  }

  get udp(): never {
    throw new Error("no UDP port in this test");
  }

  on<V extends Exclude<Verb, "keyed">, In, Out>(
    hook: Hook<V, In, Out>,
    handler: NoInfer<Handler<V, In, Out>>,
  ): Disposable {
    const entry = { hook: hook.name, handler };
    this.handlers.push(entry);
    return { [Symbol.dispose]: () => void this.handlers.splice(this.handlers.indexOf(entry), 1) };
  }

  /** The first handler of a hook. */
  handler<V extends Verb, In, Out>(hook: Hook<V, In, Out>): Handler<V, In, Out> {
    return this.handlers.find((each) => each.hook === hook.name)!.handler as Handler<V, In, Out>;
  }

  provide(): never {
    throw new Error("nothing is provided from a sandbox");
  }

  use<R extends Disposable | AsyncDisposable>(resource: R): R {
    return resource;
  }

  defer(run: () => void | Promise<void>): void {
    this.#cleanup.push(run);
  }

  carry<Data>(_key: string, _version: number, save: () => Data): Data | undefined {
    this.save = save;
    return this.before as Data | undefined;
  }

  hold(): Disposable {
    this.holds++;
    return { [Symbol.dispose]: () => void this.holds-- };
  }

  async retire(): Promise<void> {
    this.#abort.abort(new Error("retired"));
    for (const run of this.#cleanup.reverse()) await run();
  }
}
