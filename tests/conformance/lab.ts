/** A whole runtime with the plugin in it, for what only a runtime shows: reloads, and what it says of whom. @module */
import type { Plugin, PluginScope, ReloadPlan, Runtime } from "../../core/api/mod.ts";
import { startRuntime } from "../../core/runtime/mod.ts";
import { loadedBuiltins, type SimPeerOptions, SimSwarm, watchHost } from "../testing/mod.ts";
import type { Subject } from "./subject.ts";

/** A runtime with one plugin under watch. */
export class Lab implements AsyncDisposable {
  readonly swarm = new SimSwarm(1);
  /** The scope of each generation of the plugin. */
  readonly scopes: PluginScope[] = [];
  /** What went out: URLs, datagrams and bytes of streams. */
  readonly sent: (URL | Uint8Array)[] = [];
  runtime!: Runtime;
  #subject: Subject;
  #open: () => readonly string[] = () => [];

  private constructor(subject: Subject) {
    this.#subject = subject;
  }

  /** Starts a runtime with the plugin, what it needs, and a transport. */
  static async start(subject: Subject): Promise<Lab> {
    const lab = new Lab(subject);
    await subject.furnish(lab.swarm.simulation);
    const watched = watchHost(lab.swarm.simulation.host("lab"), (what) => void lab.sent.push(what));
    lab.#open = watched.open;
    lab.runtime = await lab.swarm.simulation.complete(startRuntime({
      host: watched.host,
      settings: await lab.swarm.settings(await lab.#options("1")),
      builtins: loadedBuiltins,
      version: "0.0.0",
    }));
    return lab;
  }

  /** Reloads with the same profile; another `version` is another state of the plugin's code. */
  async reload(version: string): Promise<ReloadPlan> {
    const settings = await this.swarm.settings(await this.#options(version));
    return await this.swarm.simulation.complete(this.runtime.reload(settings));
  }

  /** The sockets that are open, sorted. */
  sockets(): readonly string[] {
    return this.#open().filter((what) => !/timer|turn/.test(what)).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.swarm.simulation.complete(this.runtime.stop());
    await this.swarm[Symbol.asyncDispose]();
  }

  async #options(version: string): Promise<SimPeerOptions> {
    const { plugin, given, options: { beside = [] } } = this.#subject;
    const traced: Plugin = {
      ...plugin,
      egress: plugin.egress && ((config) => plugin.egress!(config)),
      setup: (scope) => {
        this.scopes.push(scope);
        return plugin.setup(scope);
      },
    };
    const helpers = [...beside, ...await this.#needed()].filter(({ name }) => name !== plugin.name);
    return {
      profile: {
        plugins: [
          ...[...new Set(helpers.map(({ name }) => name))].map((use) => ({ use })),
          { use: plugin.name, with: given },
        ],
      },
      plugins: { ...Object.fromEntries(helpers.map((each) => [each.name, each])), [plugin.name]: traced },
      versions: { [plugin.name]: version },
    };
  }

  /** Built-in plugins that provide what it needs, and a transport. */
  async #needed(): Promise<readonly Plugin[]> {
    const { plugin, attached, options: { beside = [] } } = this.#subject;
    const provided = new Set([
      ...attached.flatMap(({ hook, key }) => [hook, `${hook}:${key}`]),
      ...beside.flatMap(({ provides = [] }) => provides),
    ]);
    const missing = ["transports", ...plugin.needs ?? []].filter((need) => !provided.has(need));
    const builtins = await Promise.all(Object.values(loadedBuiltins).map(async (load) => (await load()).default));
    return builtins.filter(({ provides }) => provides?.some((capability) => missing.includes(capability)));
  }
}
