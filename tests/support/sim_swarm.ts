/** A swarm of whole runtimes on the memory host, in simulated time. @module */
import { type AddSwarm, type Plugin, type Runtime, type RuntimeEvent, type Settings } from "../../core/api/mod.ts";
import { loadProfile } from "../../core/config/mod.ts";
import { createSimulation, type MemoryHost, type Simulation } from "../../core/host/memory/mod.ts";
import { startRuntime } from "../../core/runtime/mod.ts";
import { buildInfo, encodeMetainfo, parseMetainfo, sha1 } from "../../core/wire/mod.ts";
import { loadedBuiltins as builtins } from "./loaded_builtins.ts";

/** A torrent for tests, and the bytes behind it. */
export interface SimTorrent {
  readonly bytes: Uint8Array;
  readonly data: Uint8Array;
  readonly id: string;
  readonly name: string;
  /** Path below the save folder, and bytes of each file. */
  readonly files: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** Makes a torrent of pseudo-random bytes: one file, or one for each of `files` (lengths in bytes). */
export function makeTorrent(
  options: {
    readonly name?: string;
    readonly pieceLength?: number;
    readonly length?: number;
    readonly files?: readonly number[];
    readonly private?: boolean;
    readonly trackers?: readonly (readonly string[])[];
    readonly seed?: number;
  } = {},
): SimTorrent {
  const { name = "sample", pieceLength = 64 * 1024, files, trackers = [] } = options;
  const length = files?.reduce((sum, each) => sum + each, 0) ?? options.length ?? 1_000_000;
  const data = noise(length, options.seed ?? 1);
  const pieces = new Uint8Array(Math.ceil(length / pieceLength) * 20);
  for (let i = 0; i * pieceLength < length; i++) {
    pieces.set(sha1(data.subarray(i * pieceLength, (i + 1) * pieceLength)), i * 20);
  }
  const info = buildInfo({
    name,
    pieceLength,
    pieces,
    ...(files ? { files: files.map((each, i) => ({ path: [`f${i}`], length: each })) } : { length }),
    private: options.private,
  });
  const bytes = encodeMetainfo({ info, announce: trackers });
  let at = 0;
  const parts = (files ?? [length]).map((each, i) => ({
    path: files ? `${name}/f${i}` : name,
    data: data.subarray(at, at += each),
  }));
  return { bytes, data, id: parseMetainfo(bytes).info.id.key, name, files: parts };
}

/** Bytes that look random and are always the same for a seed. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = seed * 0x9e3779b9 >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x;
  }
  return bytes;
}

/** One runtime on one host. */
export interface SimPeer {
  readonly host: MemoryHost;
  readonly runtime: Runtime;
  readonly events: RuntimeEvent[];
  readonly log: string[];
  /** `ip:port` that it listens on. */
  readonly address: string;
}

/** What a simulated runtime runs with. */
export interface SimPeerOptions {
  readonly profile?: Record<string, unknown>;
  readonly plugins?: Readonly<Record<string, Plugin>>;
  /** The state of a plugin's code, "1" if not given: another one makes a reload replace its entries. */
  readonly versions?: Readonly<Record<string, string>>;
}

/** Whole runtimes in one simulated world. */
export class SimSwarm implements AsyncDisposable {
  readonly simulation: Simulation;
  readonly peers: SimPeer[] = [];

  constructor(seed: number) {
    this.simulation = createSimulation({ seed });
  }

  /** Starts a runtime on a new host, or on `host`, such as one that was restarted. */
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
    return peer;
  }

  /** What a runtime runs with: for `runtime.reload`, too. */
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

  /** A peer that has the torrent's data and seeds it. */
  async seed(name: string, torrent: SimTorrent, options?: SimPeerOptions): Promise<SimPeer> {
    const host = this.simulation.host(name);
    await this.simulation.complete(writeFiles(host, torrent));
    const peer = await this.peer(name, options, host);
    await this.add(peer, torrent, { existing: "check" });
    await this.until(() => peer.runtime.swarm(torrent.id).state === "seeding");
    return peer;
  }

  async add(peer: SimPeer, torrent: SimTorrent, request: Partial<AddSwarm> = {}): Promise<void> {
    await this.simulation.complete(peer.runtime.add({ source: torrent.bytes, ...request }));
  }

  async until(predicate: () => boolean, limitMs = 600_000): Promise<void> {
    await this.simulation.runUntil(predicate, { limitMs });
  }

  /** Lets time pass until the peer has everything it wants. */
  async complete(peer: SimPeer, torrent: SimTorrent, limitMs?: number): Promise<void> {
    await this.until(() => peer.runtime.swarm(torrent.id).state === "seeding", limitMs);
  }

  async stop(peer: SimPeer): Promise<void> {
    await this.simulation.complete(peer.runtime.stop());
    this.peers.splice(this.peers.indexOf(peer), 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of [...this.peers]) if (peer.host.alive) await this.stop(peer);
    this.simulation[Symbol.dispose]();
  }
}

/** Puts a torrent's files below `/data`. */
export async function writeFiles(host: MemoryHost, torrent: SimTorrent, folder = "/data"): Promise<void> {
  for (const { path, data } of torrent.files) {
    await host.disk.makeDirectory(`${folder}/${path}`.replace(/\/[^/]*$/, ""));
    await host.disk.writeFile(`${folder}/${path}`, data);
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
