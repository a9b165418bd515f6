/** One plugin on a bench: started as a runtime would start it, in simulated time, without swarms around it. @module */
import {
  admitPeers,
  type AdmitRequest,
  decodeValue,
  discoverPeers,
  errorText,
  type HttpHandler,
  InfoHash,
  type Logger,
  type PeerAddress,
  type PeerCandidate,
  type Plugin,
  type PluginError,
  type PluginState,
  type PublicSwarm,
  type SwarmsView,
  type TorrentId,
  torrentId,
} from "../../core/api/mod.ts";
import { Bus, HookTable } from "../../core/bus/mod.ts";
import { createSimulation, type MemoryHost, type Simulation } from "../../core/host/memory/mod.ts";
import { createPluginNet, Egress, SharedUdp } from "../../core/net/mod.ts";
import { Scope } from "../../core/runtime/scope.ts";
import { type WatchedHost, watchHost } from "./watched_host.ts";
import { serveHttp } from "./world.ts";

// As long as a runtime waits for a plugin's setup (ms).
const SETUP_LIMIT = 30_000;
// What discovery is asked for when a test doesn't say.
const WANTED = 50;
// Where peers would be accepted, and where the shared UDP port is bound once the plugin claims something of it.
const PORT = 6881;
// As much as a runtime keeps for one entry (bytes).
const MAX_STATE = 1024 * 1024;

/** A swarm's identity for tests. */
export const sampleId: TorrentId = torrentId({ v1: InfoHash.parse("0123456789abcdef0123456789abcdef01234567") });

/** Where and how {@link startPlugin} starts a plugin; all of it may be left out. */
export interface StartPluginOptions {
  /** The entry's `with`, as YAML would give it; the plugin's `example` if not given. */
  readonly with?: unknown;
  /** The world that it runs in; a new one if not given. */
  readonly simulation?: Simulation;
  /** The host of that world that it runs on; a new one if not given. */
  readonly host?: MemoryHost;
  /** What `plugin.swarms` shows. */
  readonly swarms?: readonly PublicSwarm[];
  /** What `plugin.state` holds, and what is put there. */
  readonly state?: Map<string, Uint8Array>;
  /** What `egress.allow` would list. */
  readonly allow?: readonly string[];
  /** HTTP servers of a new world, by host name. */
  readonly serve?: Readonly<Record<string, HttpHandler>>;
}

/** What one round of discovery gave. */
export interface DiscoveryRound {
  readonly candidates: readonly PeerCandidate[];
  /** When the plugin wants to be asked again, in milliseconds. */
  readonly again?: number;
}

/** A hook that the plugin attached to, with the key that it provides there. */
export interface Attached {
  readonly hook: string;
  readonly key?: string;
}

/**
 * Starts one plugin, as a runtime would: its `with` decoded by its schema, with a scope of its own, behind the egress
 * guard.
 *
 * ```ts
 * import { startPlugin } from "weft/testing";
 * import { definePlugin, discoverPeers, object, parsePeerAddress, url } from "weft";
 * import assert from "node:assert/strict";
 *
 * const roster = definePlugin({
 *   name: "roster",
 *   config: object({ url: url() }),
 *   setup(plugin) {
 *     plugin.on(discoverPeers, async function* (_, signal) {
 *       const answer = await plugin.net.fetch(plugin.config.url, { signal });
 *       for (const text of answer.json() as string[]) yield { address: parsePeerAddress(text) };
 *     });
 *   },
 * });
 *
 * await using bench = await startPlugin(roster, {
 *   with: { url: "https://peers.example/list" },
 *   serve: { "peers.example": () => Response.json(["192.0.2.7:6881"]) },
 * });
 * const { candidates } = await bench.discover();
 * assert.equal(candidates[0].address.key, "192.0.2.7:6881");
 * ```
 *
 * @throws {ConfigError} when the `with` has mistakes
 * @throws what the plugin's setup throws
 */
export async function startPlugin<Config>(
  plugin: Plugin<Config>,
  options: StartPluginOptions = {},
): Promise<PluginBench> {
  const bench = new PluginBench(plugin as Plugin, options);
  try {
    const world = Object.entries(options.serve ?? {});
    for (const [name, handler] of world) await serveHttp(bench.simulation, name, handler);
    await bench.complete(bench.setUp(), SETUP_LIMIT);
    return bench;
  } catch (error) {
    await bench.stop();
    throw error;
  }
}

/** A plugin that was started by {@link startPlugin}. Time passes only while one of its methods is awaited. */
export class PluginBench implements AsyncDisposable {
  readonly simulation: Simulation;
  readonly host: MemoryHost;
  /** The decoded `with`. */
  readonly config: unknown;
  /** `level: message`, a line each. */
  readonly log: string[] = [];
  /** What its handlers threw, and deadlines that they missed. */
  readonly failures: PluginError[] = [];
  /** Calls its handlers, and finds what it provides, as the kernel does. */
  readonly bus: Bus;
  readonly #plugin: Plugin;
  readonly #scope: Scope;
  readonly #udp: SharedUdp;
  readonly #watched: WatchedHost;

  /** Use {@link startPlugin}; this alone does not start it. */
  constructor(plugin: Plugin, options: StartPluginOptions = {}) {
    const { with: given = plugin.example ?? {}, swarms = [], allow = [], state = new Map() } = options;
    this.#plugin = plugin;
    this.simulation = options.simulation ?? createSimulation({ seed: 1 });
    this.host = options.host ?? this.simulation.host(plugin.name);
    this.config = decodeValue(plugin.config, given, "with");
    this.#watched = watchHost(this.host);
    const { host } = this.#watched;
    const log = this.#logger();
    this.bus = new Bus({ clock: host.clock, log });
    // As in a runtime: what everybody may reach, and what this entry may.
    const egress = new Egress({ allow }).child();
    const failed = (error: unknown): void => log.warn(`The UDP port failed: ${errorText(error)}`);
    this.#udp = new SharedUdp({
      net: host.net,
      turn: () => host.clock.turn(),
      failed,
      lost: failed,
    });
    this.#scope = new Scope({
      name: plugin.name,
      config: this.config,
      seesPrivate: plugin.wants?.includes("private"),
      clock: host.clock,
      random: host.random,
      log,
      swarms: swarmsView(swarms),
      state: stateIn(state),
      udp: (scope) => this.#udp.for(scope, egress),
      net: ({ signal }) => createPluginNet({ host, egress, scopeSignal: signal }),
      failed: (failure) => void this.failures.push(failure),
      changed: () => void this.bus.swap(HookTable.build([...this.#scope.registrations], this.bus.table.generation + 1)),
    });
    for (const target of plugin.egress?.(this.config) ?? []) this.#scope.use(egress.grant(target));
  }

  /** The hooks that it is attached to now, and the keys that it provides. */
  get attached(): readonly Attached[] {
    return [...this.#scope.registrations].map(({ hook, key }) => ({
      hook: hook.name,
      ...(key !== undefined && { key }),
    }));
  }

  /** Aborts when it is stopped. */
  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  /** Runs the plugin's `setup` and puts it to use; {@link startPlugin} has done so. */
  async setUp(): Promise<void> {
    await this.#plugin.setup(this.#scope);
    const udp = await this.#udp.stage([{ ip: "0.0.0.0", port: PORT }]);
    if (this.signal.aborted) return udp.abort();
    udp.commit();
    this.#scope.committed();
  }

  /** What it has open or pending now, in words: timers, sockets, requests. Nothing may be left once it is stopped. */
  open(): readonly string[] {
    return this.#watched.open();
  }

  /** Lets time pass until `work` settles, at most `limitMs`, and returns what it resolves to. */
  async complete<T>(work: Promise<T>, limitMs?: number): Promise<T> {
    return await this.simulation.complete(work, limitMs === undefined ? undefined : { limitMs });
  }

  /**
   * One round of discovery.
   *
   * @throws {PluginError} when a handler throws or misses the deadline
   */
  async discover(
    id: TorrentId = sampleId,
    { wanted = WANTED, port = PORT, signal = new AbortController().signal } = {},
  ): Promise<DiscoveryRound> {
    const before = this.failures.length;
    const round = this.bus.gather(discoverPeers, { id, wanted, port }, signal);
    const candidates: PeerCandidate[] = [];
    const gather = async (): Promise<number | undefined> => {
      for (;;) {
        const { done, value } = await round.next();
        if (done) return value.get(this.#plugin.name);
        candidates.push(value.value);
      }
    };
    const again = await this.complete(gather());
    if (this.failures.length > before) throw this.failures[before];
    return { candidates, ...(again !== undefined && { again }) };
  }

  /**
   * Asks whether these addresses may be peers, as the kernel does of filters.
   *
   * @param request what else the request says; by default they are candidates from `test`, for {@link sampleId}
   * @returns one flag an address
   * @throws {PluginError} when a handler throws, misses its deadline or answers nonsense: the kernel refuses all then
   */
  async admit(addresses: readonly PeerAddress[], request: Partial<AdmitRequest> = {}): Promise<readonly boolean[]> {
    const { stage = "candidate", id = stage === "arrival" ? undefined : sampleId, source = "test" } = request;
    const asked = { stage, id, private: request.private ?? false, source, addresses };
    const answers = await this.complete(this.bus.every(admitPeers, asked, new AbortController().signal));
    return addresses.map((_, i) => answers.every((answer) => answer[i]));
  }

  /** Retires it: its signal aborts, and all that it acquired is undone. Twice is fine. */
  async stop(): Promise<void> {
    await this.complete(this.#scope[Symbol.asyncDispose]());
    this.#udp.close();
    this.bus.swap(HookTable.empty);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #logger(): Logger {
    const line = (level: string) => (message: string): void => void this.log.push(`${level}: ${message}`);
    return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  }
}

function swarmsView(swarms: readonly PublicSwarm[]): SwarmsView {
  return {
    size: swarms.length,
    review: () => {},
    port: PORT,
    get: (hex) => swarms.find(({ id }) => id.wireIds.some((wireId) => wireId.hex === hex)),
    [Symbol.iterator]: () => swarms[Symbol.iterator](),
  };
}

function stateIn(kept: Map<string, Uint8Array>): PluginState {
  return {
    get: (key) => Promise.resolve(kept.get(key)?.slice()),
    async set(key, value) {
      const others = [...kept].filter(([other]) => other !== key).reduce((sum, [, { length }]) => sum + length, 0);
      if (others + value.length > MAX_STATE) throw new Error(`Cannot keep "${key}": state is limited to 1 MiB`);
      await Promise.resolve();
      kept.set(key, value.slice());
    },
  };
}
