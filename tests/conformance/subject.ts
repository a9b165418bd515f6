/** The plugin that is checked, and the worlds in which it is. @module */
import { errorText, type HttpHandler, type Plugin } from "../../core/api/mod.ts";
import { createSimulation, type Simulation } from "../../core/host/memory/mod.ts";
import { type Attached, PluginBench, serveHttp, startPlugin, type StartPluginOptions } from "../testing/mod.ts";
import { show, Unmet } from "./check.ts";
import { contacts } from "./contacts.ts";
import type { Strays } from "./strays.ts";

/** What a check of a plugin starts from; all of it may be left out. */
export interface ConformanceOptions {
  /** The `with` to start from; the plugin's `example` if not given. */
  readonly with?: Readonly<Record<string, unknown>>;
  /**
   * HTTP servers that the plugin talks to, by host name. Those that its `with` names and that aren't here answer with
   * status 404. With them, a round of discovery must succeed; without, it may also fail.
   */
  readonly serve?: Readonly<Record<string, HttpHandler>>;
  /** Plugins that it needs, besides the built-in ones. */
  // deno-lint-ignore no-explicit-any -- plugins of whatever configuration
  readonly beside?: readonly Plugin<any>[];
}

/** A world for one check: a simulation with the servers that the plugin may talk to. */
export interface World {
  readonly simulation: Simulation;
  /** Starts the plugin on a host of its own. */
  start(options?: StartPluginOptions): Promise<PluginBench>;
  /** The plugin on a host of its own, before its `setup`. */
  bench(): PluginBench;
}

/** Answers for every server of a world, or its silence. */
export type Answers = HttpHandler | "as given" | "nothing";

export class Subject {
  readonly plugin: Plugin;
  readonly options: ConformanceOptions;
  /** Rejections that nobody handled. */
  readonly strays: Strays;
  /** What it is attached to once it has started. */
  attached: readonly Attached[] = [];
  readonly #worlds: Simulation[] = [];

  constructor(plugin: Plugin, options: ConformanceOptions, strays: Strays) {
    this.plugin = plugin;
    this.options = options;
    this.strays = strays;
  }

  /** The `with` that it starts from. */
  get given(): Readonly<Record<string, unknown>> {
    return this.options.with ?? this.plugin.example ?? {};
  }

  /** The keys that it provides for a hook. */
  keys({ name }: { readonly name: string }): readonly string[] {
    return this.attached.flatMap(({ hook, key }) => hook === name && key !== undefined ? [key] : []);
  }

  /** Whether it has a handler for a hook. */
  handles({ name }: { readonly name: string }): boolean {
    return this.attached.some(({ hook, key }) => hook === name && key === undefined);
  }

  /** A new world, whose servers answer as given, all in one way, or never. */
  async world(answers: Answers = "as given"): Promise<World> {
    const simulation = createSimulation({ seed: 1 });
    this.#worlds.push(simulation);
    await this.furnish(simulation, answers);
    const options = { with: this.given, simulation };
    return {
      simulation,
      bench: () => new PluginBench(this.plugin, options),
      start: async (more) => {
        try {
          return await startPlugin(this.plugin, { ...options, ...more });
        } catch (error) {
          throw new Unmet(`did not start with ${show(this.given)}: ${errorText(error)}`, "that it starts");
        }
      },
    };
  }

  /** Puts the servers that the plugin may talk to into a world. */
  async furnish(simulation: Simulation, answers: Answers = "as given"): Promise<void> {
    const { serve = {} } = this.options;
    for (const { name, ports } of contacts(this.given, Object.keys(serve))) {
      const given = serve[name] ?? notFound;
      const handler = answers === "as given" ? given : answers === "nothing" ? silence : answers;
      await serveHttp(simulation, name, handler, ports);
    }
  }

  /** Frees its worlds. */
  [Symbol.dispose](): void {
    for (const world of this.#worlds) world[Symbol.dispose]();
  }
}

const notFound: HttpHandler = () => new Response("Not Found", { status: 404 });
const silence: HttpHandler = () => new Promise(() => {});
