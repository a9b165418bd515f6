import { errorText, formatDuration, type PluginRequest, type PluginScope, swarmAdded, type Timer } from "../api/mod.ts";
import { withDeadline } from "../net/mod.ts";
import { crossingHooks } from "./crossing.ts";
import { HangError, Link, type LinkOptions, type Notice } from "./link.ts";
import type { Carried, PlainSwarm } from "./protocol.ts";
import { proxyHandler } from "./proxy.ts";
import { Rate } from "./rate.ts";

// How long a plugin's setup may take (ms); the same as in process.
const SETUP_TIMEOUT = 30_000;
// The pause before a plugin that ended is started again (ms); each further one is twice as long.
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 60_000;
// A plugin that ran so long has recovered (ms): its next pause is a first one again.
const RECOVERED = 60_000;
// Handlers and holds of one plugin: more than any needs, few enough that a hostile one can't fill memory.
const MAX_HANDLERS = 64;
const MAX_HOLDS = 64;
// Reads and writes of what a plugin keeps that are under way: each holds up to 1 MiB.
const MAX_REQUESTS = 16;
// Lines of the log at once and a second; a plugin's own side keeps to less.
const LOG_BURST = 300;
const LOG_PER_SECOND = 50;
// How often dropped events are told of (ms).
const DROP_INTERVAL = 60_000;

/** What {@link Keeper} runs. */
export interface KeeperOptions extends Omit<LinkOptions, "onNotice" | "onEnd" | "onPing"> {
  readonly url: string;
  readonly request: Pick<PluginRequest, "config" | "baseDir">;
}

/** One handler of the plugin: its number in the guest that runs, if that has it. */
interface Slot {
  registration: number | undefined;
  readonly attached: Disposable;
}

/** Keeps one isolated plugin running: hands its handlers to the scope, and starts it again when it ends. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #scope: PluginScope;
  readonly #logRate: Rate;
  /** By hook and by how many the plugin attached there before, so that they outlive a restart. */
  readonly #slots = new Map<string, Slot>();
  readonly #holds = new Map<number, Disposable>();
  readonly #swarms = new Map<string, { readonly name: string; readonly seeding: boolean }>();
  #port = 0;
  #requests = 0;
  #names = new Map<number, string>();
  #carried: readonly Carried[];
  #link: Link | undefined;
  #ready: PromiseWithResolvers<void> | undefined;
  #down = "it is not started";
  #pause = FIRST_PAUSE;
  #since = 0;
  #timer: Timer | undefined;
  #dropped = 0;
  #dropsTold = -Infinity;
  #stopped = false;

  constructor(options: KeeperOptions, scope: PluginScope) {
    this.#options = options;
    this.#scope = scope;
    this.#logRate = new Rate(options.clock, LOG_BURST, LOG_PER_SECOND);
    this.#carried = scope.carry<readonly Carried[]>("sandbox", 1, () => this.#carried) ?? [];
  }

  /** Starts the plugin; resolves when its setup is done. Rejects when it fails. */
  async start(): Promise<void> {
    this.#names = new Map();
    this.#swarms.clear();
    this.#port = 0;
    this.#ready = Promise.withResolvers<void>();
    this.#ready.promise.catch(() => {}); // whoever starts it is told below
    const { name } = this.#scope;
    const { url, request: { config, baseDir }, permissions: { net = [] } } = this.#options;
    let link: Link | undefined;
    try {
      link = await Link.start({
        ...this.#options,
        onNotice: (notice) => this.#notice(notice),
        onEnd: (reason) => this.#ended(reason),
        onCarried: (carried) => this.#carried = carried,
        onPing: () => this.#tellSwarms(),
      });
      if (this.#stopped) throw new Error("the entry is retired");
      this.#link = link;
      link.post({ do: "start", url, config, baseDir, name, net, carried: this.#carried });
      this.#tellSwarms();
      const ready = this.#ready.promise;
      await withDeadline(this.#options.clock, SETUP_TIMEOUT, "it did not finish its setup", () => ready);
    } catch (error) {
      this.#down = errorText(error);
      this.#ready = undefined;
      await link?.stop();
      this.#forget();
      throw error;
    }
    this.#ready = undefined;
    this.#since = this.#options.clock.now();
    for (const [key, slot] of this.#slots) if (slot.registration === undefined) this.#detach(key);
  }

  /** Ends the plugin for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#link?.stop();
    this.#release();
  }

  #notice(notice: Notice): void {
    switch (notice.say) {
      case "on":
        return this.#attach(notice.registration, notice.hook);
      case "off": {
        const key = this.#names.get(notice.registration);
        if (key !== undefined) this.#detach(key);
        return;
      }
      case "review":
        return this.#scope.swarms.review();
      case "ready":
        return this.#ready?.resolve();
      case "failed":
        return this.#ready?.reject(new Error(notice.message));
      case "log":
        if (this.#logRate.take()) this.#scope.log[notice.level](notice.message);
        return;
      case "hold":
        if (this.#holds.size >= MAX_HOLDS) throw new Error(`more than ${MAX_HOLDS} holds`);
        if (!this.#holds.has(notice.hold)) this.#holds.set(notice.hold, this.#scope.hold());
        return;
      case "release":
        this.#holds.get(notice.hold)?.[Symbol.dispose]();
        return void this.#holds.delete(notice.hold);
      case "get":
      case "set":
        return void this.#store(notice);
      case "described":
        throw new Error("it described itself unasked");
    }
  }

  #attach(registration: number, hookId: string): void {
    const hook = crossingHooks.get(hookId);
    if (!hook) throw new Error(`there is no hook ${JSON.stringify(hookId)} that crosses`);
    if (this.#names.has(registration)) throw new Error(`there is a handler ${registration} already`);
    let key = "";
    for (let n = 0; n === 0 || this.#slots.get(key)?.registration !== undefined; n++) key = `${hookId} ${n}`;
    const slot = this.#slots.get(key);
    if (slot) slot.registration = registration;
    else {
      if (this.#slots.size >= MAX_HANDLERS) throw new Error(`more than ${MAX_HANDLERS} handlers`);
      const handler = proxyHandler(hook, {
        net: this.#options.permissions.net,
        call: (input) => {
          const to = this.#slots.get(key)?.registration;
          if (!this.#link || to === undefined) throw new Error(`Cannot ask it: ${this.#down}`);
          return this.#link.call(to, input);
        },
        dropped: () => this.#drop(),
      });
      this.#slots.set(key, { registration, attached: this.#scope.on(hook, handler as never) });
    }
    this.#names.set(registration, key);
  }

  #detach(key: string): void {
    const slot = this.#slots.get(key);
    this.#slots.delete(key);
    if (slot?.registration !== undefined) this.#names.delete(slot.registration);
    slot?.attached[Symbol.dispose]();
  }

  #ended(reason: Error): void {
    this.#forget();
    if (this.#ready) return this.#ready.reject(reason); // `start` tells it
    this.#failed(reason);
  }

  /** Tells of the end, and starts it again after a pause. */
  #failed(reason: unknown): void {
    if (this.#stopped) return;
    const { clock } = this.#options;
    if (clock.now() - this.#since > RECOVERED) this.#pause = FIRST_PAUSE;
    const pause = this.#pause;
    this.#pause = Math.min(2 * pause, LONGEST_PAUSE);
    this.#down = `it ended: ${errorText(reason)}; it is started again after ${formatDuration(pause)}`;
    this.#scope.log.error(this.#down);
    this.#timer = this.#scope.clock.after(pause, async () => {
      const gone = reason instanceof HangError ? await reason.gone() : true;
      if (this.#stopped) return;
      if (!gone) return this.#stayDown();
      this.start().catch((error) => {
        this.#since = clock.now();
        this.#failed(error);
      });
    });
  }

  /** Its thread is stuck where it can't be ended: each further one may keep another core busy. */
  #stayDown(): void {
    this.#down = "it hangs where its thread can't be ended, and stays down until its code or its entry changes " +
      '("isolate: process" can be ended)';
    this.#scope.log.error(this.#down);
  }

  /** Tells the guest which swarms came, went and changed since it was told last. */
  #tellSwarms(): void {
    if (!this.#link) return;
    const added: PlainSwarm[] = [];
    const gone = new Set(this.#swarms.keys());
    const { port } = this.#scope.swarms;
    for (const { id, name, seeding, nodes } of this.#scope.swarms) {
      gone.delete(id.key);
      const told = this.#swarms.get(id.key);
      if (told?.name === name && told.seeding === seeding) continue;
      this.#swarms.set(id.key, { name, seeding });
      added.push({
        key: id.key,
        event: swarmAdded.contract.codec!.encodeInput({ id, name, private: false }),
        seeding,
        nodes,
      });
    }
    for (const key of gone) this.#swarms.delete(key);
    if (added.length + gone.size === 0 && port === this.#port) return;
    this.#port = port;
    this.#link.post({ do: "swarms", added, removed: [...gone], port });
  }

  /** Reads or writes what the plugin keeps, and answers. */
  async #store(notice: Extract<Notice, { say: "get" | "set" }>): Promise<void> {
    const { request, key } = notice;
    const link = this.#link;
    if (this.#requests >= MAX_REQUESTS) {
      return link?.post({ do: "stored", request, error: "too many requests at once" });
    }
    this.#requests++;
    const { state } = this.#scope;
    try {
      const value = await (notice.say === "get" ? state.get(key) : state.set(key, notice.value));
      link?.post({ do: "stored", request, ...(value && { value }) });
    } catch (error) {
      link?.post({ do: "stored", request, error: errorText(error) });
    } finally {
      this.#requests--;
    }
  }

  #drop(): void {
    this.#dropped++;
    const now = this.#options.clock.now();
    if (now - this.#dropsTold < DROP_INTERVAL) return;
    this.#scope.log.warn(`it is too slow: ${this.#dropped} events were left out`);
    this.#dropsTold = now;
    this.#dropped = 0;
  }

  /** The guest is gone: what it held is let go, and its handlers wait for the next one. */
  #forget(): void {
    this.#link = undefined;
    for (const slot of this.#slots.values()) slot.registration = undefined;
    this.#release();
  }

  #release(): void {
    for (const hold of this.#holds.values()) hold[Symbol.dispose]();
    this.#holds.clear();
  }
}
