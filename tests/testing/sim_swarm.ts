/** A swarm of whole runtimes on the memory host, in simulated time. @module */
import type { AddSwarm, HttpHandler, Plugin, ReloadPlan, Runtime, RuntimeEvent, Settings } from "../../core/api/mod.ts";
import { loadProfile } from "../../core/config/mod.ts";
import { createSimulation, type MemoryHost, type Simulation } from "../../core/host/memory/mod.ts";
import { startRuntime } from "../../core/runtime/mod.ts";
import { loadedBuiltins as builtins } from "./loaded_builtins.ts";
import { type SimTorrent, writeFiles } from "./torrent.ts";
import { serveHttp } from "./world.ts";

/** One runtime on one host. */
export interface SimPeer {
  readonly host: MemoryHost;
  readonly runtime: Runtime;
  /** Everything that happened so far, as `runtime.subscribe` tells it. */
  readonly events: RuntimeEvent[];
  /** `level source: message`, a line each. */
  readonly log: string[];
  /** `ip:port` that it listens on. */
  readonly address: string;
}

/** What a simulated runtime runs with. */
export interface SimPeerOptions {
  /**
   * A profile as YAML would give it, over these defaults: it listens at `0.0.0.0:6881`, saves to `/data`, and its
   * plugins are tcp and tracker_http.
   */
  readonly profile?: Record<string, unknown>;
  /** Plugins that entries may `use`, by that name, besides the built-in ones. */
  // deno-lint-ignore no-explicit-any -- plugins of whatever configuration
  readonly plugins?: Readonly<Record<string, Plugin<any>>>;
  /** The state of a plugin's code, "1" if not given: another one makes a reload replace its entries. */
  readonly versions?: Readonly<Record<string, string>>;
}

/**
 * Whole runtimes in one simulated world, on a network and in a time of their own: a minute passes in a moment, and the
 * same seed gives the same run. Time passes only while a method here, or one of `simulation`, is awaited.
 *
 * ```ts
 * import { makeTorrent, SimSwarm } from "weft/testing";
 * import { definePlugin, discoverPeers, object, parsePeerAddress, string } from "weft";
 *
 * const friend = definePlugin({
 *   name: "friend",
 *   config: object({ at: string() }),
 *   setup(plugin) {
 *     plugin.on(discoverPeers, async function* () {
 *       yield { address: parsePeerAddress(plugin.config.at) };
 *     });
 *   },
 * });
 *
 * await using swarm = new SimSwarm(1);
 * const torrent = makeTorrent();
 * const seed = await swarm.seed("seed", torrent);
 * const leech = await swarm.peer("leech", {
 *   plugins: { friend },
 *   profile: { plugins: [{ use: "tcp" }, { use: "friend", with: { at: seed.address } }] },
 * });
 * await swarm.add(leech, torrent);
 * await swarm.complete(leech, torrent);
 * ```
 */
export class SimSwarm implements AsyncDisposable {
  readonly simulation: Simulation;
  readonly peers: SimPeer[] = [];
  readonly #everyone: SimPeer[] = [];

  constructor(seed: number) {
    this.simulation = createSimulation({ seed });
  }

  /**
   * Starts a runtime on a new host, or on `host`, such as one that was restarted.
   *
   * @throws {ConfigError} when the profile has mistakes or an entry can't start
   */
  async peer(
    name: string,
    options: SimPeerOptions = {},
    host: MemoryHost = this.simulation.host(name),
  ): Promise<SimPeer> {
    const settings = await this.settings(options);
    const log: string[] = [];
    const events: RuntimeEvent[] = [];
    const runtime = await this.simulation.complete(startRuntime({
      host,
      settings,
      builtins,
      version: "0.0.0",
      log: ({ level, source, message }) => void log.push(`${level} ${source}: ${message}`),
    }));
    runtime.subscribe((event) => events.push(event), 0);
    const peer = { host, runtime, events, log, address: `${host.ip}:6881` };
    this.peers.push(peer);
    this.#everyone.push(peer);
    return peer;
  }

  /**
   * Reloads a peer with another profile, other plugins, or another version of their code.
   *
   * @throws {ConfigError} when it can't; what runs is as it was then
   */
  async reload(peer: SimPeer, options: SimPeerOptions): Promise<ReloadPlan> {
    return await this.simulation.complete(peer.runtime.reload(await this.settings(options)));
  }

  /** What a runtime with these options runs with. */
  async settings({ profile, plugins, versions }: SimPeerOptions): Promise<Settings> {
    return await loadProfile({
      value: {
        listen: "0.0.0.0:6881",
        store: { path: "/data", state: "/state/weft.db" },
        plugins: [{ use: "tcp" }, { use: "tracker_http" }],
        ...profile,
      },
      file: "profile.yaml",
      baseDir: "/",
      resolvePlugin: async ({ use }) => {
        const plugin = plugins?.[use] ?? (await builtins[use]?.())?.default;
        return plugin ? { plugin, version: versions?.[use] ?? "1", files: [] } : `no plugin "${use}"`;
      },
    });
  }

  /** Answers HTTP for a host name, as {@link serveHttp} does. */
  async serve(name: string, handler: HttpHandler, ports?: readonly number[]): Promise<MemoryHost> {
    return await serveHttp(this.simulation, name, handler, ports);
  }

  /** Makes a host name resolve to these addresses, or to none any more. */
  name(name: string, ...ips: readonly string[]): void {
    const { names } = this.simulation.network;
    if (ips.length > 0) names.set(name.toLowerCase(), ips);
    else names.delete(name.toLowerCase());
  }

  /** A peer that has the torrent's data and seeds it. */
  async seed(name: string, torrent: SimTorrent, options?: SimPeerOptions): Promise<SimPeer> {
    const host = this.simulation.host(name);
    await this.simulation.complete(writeFiles(host, torrent));
    const peer = await this.peer(name, options, host);
    await this.add(peer, torrent, { existing: "check" });
    await this.until(() => peer.runtime.swarm(torrent.id).state === "seeding");
    return peer;
  }

  /** Adds the torrent to a peer. */
  async add(peer: SimPeer, torrent: SimTorrent, request: Partial<AddSwarm> = {}): Promise<void> {
    await this.simulation.complete(peer.runtime.add({ source: torrent.bytes, ...request }));
  }

  /**
   * Lets time pass until `predicate` holds.
   *
   * @throws {Error} when it doesn't within `limitMs` of simulated time
   */
  async until(predicate: () => boolean, limitMs = 600_000): Promise<void> {
    await this.simulation.runUntil(predicate, { limitMs });
  }

  /** Lets time pass until the peer has everything it wants. */
  async complete(peer: SimPeer, torrent: SimTorrent, limitMs?: number): Promise<void> {
    await this.until(() => peer.runtime.swarm(torrent.id).state === "seeding", limitMs);
  }

  /** Stops a peer's runtime; its host and what is on its disk stay. */
  async stop(peer: SimPeer): Promise<void> {
    await this.simulation.complete(peer.runtime.stop());
    this.peers.splice(this.peers.indexOf(peer), 1);
  }

  /**
   * All events of all peers so far, also of those that stopped, in the order of time, a line of JSON each after its
   * peer's name. Another run with the same seed tells the same, byte for byte.
   */
  story(): string {
    return this.#everyone
      .flatMap(({ host, events }) => events.map((event) => ({ time: event.time, name: host.name, event })))
      .sort((a, b) => a.time - b.time)
      .map(({ name, event }) => `${name} ${JSON.stringify(event)}\n`)
      .join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of [...this.peers]) if (peer.host.alive) await this.stop(peer);
    this.simulation[Symbol.dispose]();
  }
}

/** Whether the files below `/data` are the torrent's, byte for byte. */
export async function sameFiles(swarm: SimSwarm, peer: SimPeer, torrent: SimTorrent): Promise<boolean> {
  for (const { path, data } of torrent.files) {
    const bytes = await swarm.simulation.complete(peer.host.disk.readFile(`/data/${path}`));
    if (bytes.length !== data.length || bytes.some((byte, i) => byte !== data[i])) return false;
  }
  return true;
}
