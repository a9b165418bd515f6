import { type Clock, faultText, type HostNet, type Plugin, type Random, readPlugin } from "../api/mod.ts";
import { decodeRecorded } from "./description.ts";
import { GuestCall } from "./guest_call.ts";
import { GuestLog } from "./guest_log.ts";
import { GuestScope } from "./guest_scope.ts";
import { type GuestMessage, type HostMessage, MAX_LINE, readHostMessage } from "./protocol.ts";

/** What a guest has of the world. */
export interface GuestOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The network, given what the entry's permissions say of it. */
  net(grants: readonly string[] | true): HostNet;
  /** Imports a module, and gives its exports. */
  load(url: string): Promise<unknown>;
  post(message: GuestMessage): void;
}

/** The isolated side of the sandbox: loads the plugin and runs it as Weft's messages say. */
export class Guest {
  readonly log: GuestLog;
  readonly #options: GuestOptions;
  readonly #calls = new Map<number, GuestCall>();
  #scope: GuestScope | undefined;

  constructor(options: GuestOptions) {
    this.#options = options;
    this.log = new GuestLog(options.clock, (message) => options.post(message));
  }

  /**
   * Takes a message from Weft.
   *
   * @throws {ProtocolError} when it is none
   */
  receive(message: unknown): void {
    const said = readHostMessage(message);
    switch (said.do) {
      case "describe":
        return void this.#try(() => this.#describe(said));
      case "start":
        return void this.#try(() => this.#start(said));
      case "call":
        return this.#call(said.call, said.registration, said.input);
      case "credit":
        return this.#calls.get(said.call)?.more(said.count);
      case "cancel":
        return this.#calls.get(said.call)?.cancel();
      case "ping": {
        const carried = this.#scope?.saved();
        return this.#options.post({ say: "pong", ping: said.ping, ...(carried && { carried }) });
      }
      case "swarms":
        return this.#scope?.swarms.change(said);
      case "stored":
        return this.#scope?.state.answer(said);
      case "stop":
        return void this.#try(async () => {
          await this.#scope?.retire();
          this.#options.post({ say: "stopped" });
        });
    }
  }

  /** Tells of what nobody caught: it ends the plugin. */
  stray(error: unknown): void {
    this.#options.post({ say: "stray", message: faultText(error).slice(0, MAX_LINE) });
  }

  async #describe({ url, config, baseDir }: Extract<HostMessage, { do: "describe" }>): Promise<void> {
    const { name, summary, needs, provides, wants, example, ...plugin } = await this.#load(url);
    const { problems } = decodeRecorded(plugin.config, config, baseDir);
    const description = {
      name,
      ...(summary !== undefined && { summary }),
      ...(needs && { needs }),
      ...(provides && { provides }),
      ...(wants && { wants }),
      ...(example && { example }),
      expects: plugin.config.expects,
      problems,
    };
    this.#options.post({ say: "described", description });
  }

  async #start(said: Extract<HostMessage, { do: "start" }>): Promise<void> {
    if (this.#scope) return;
    const { clock, random, net, post } = this.#options;
    const plugin = await this.#load(said.url);
    const { value: config, problems } = decodeRecorded(plugin.config, said.config, said.baseDir);
    if (problems.length > 0) throw new Error(problems[0].message);
    this.#scope = new GuestScope({
      name: said.name,
      config,
      clock,
      random,
      net: net(said.net),
      grants: said.net,
      log: this.log,
      carried: said.carried,
      post: (message) => post(message),
    });
    await plugin.setup(this.#scope);
    post({ say: "ready" });
  }

  #call(call: number, registration: number, input: unknown): void {
    const running = new GuestCall(call, this.#options.clock, (message) => this.#options.post(message));
    this.#calls.set(call, running);
    void running.run(this.#scope?.handlers.get(registration), input).finally(() => this.#calls.delete(call));
  }

  async #load(url: string): Promise<Plugin> {
    const exported = await this.#options.load(url) as { readonly default?: unknown };
    const plugin = readPlugin(exported.default);
    if (typeof plugin === "string") throw new Error(`it ${plugin}`);
    return plugin;
  }

  async #try(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#options.post({ say: "failed", message: faultText(error).slice(0, MAX_LINE) });
    }
  }
}
