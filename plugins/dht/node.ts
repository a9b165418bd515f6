/** The driver of the machine: the shared UDP port, one timer, names, what is kept, and lookups as promises. @module */
import {
  type HostPort,
  parseIp,
  type PeerAddress,
  peerAddress,
  type PluginScope,
  ProtocolError,
  type Timer,
  tryParseHostPort,
} from "weft";
import { BLOOM_LENGTH, estimateBloom, mergeBloom } from "./bloom.ts";
import { type Item, itemFault, itemTarget } from "./items.ts";
import type { Answered } from "./lookup.ts";
import { DhtMachine, type LookupRequest, type LookupResult } from "./machine.ts";
import type { NodeId } from "./node_id.ts";
import type { SavedPeer } from "./peer_store.ts";
import type { Secure } from "./routing_table.ts";
import { decodeTables, encodeTables } from "./saved.ts";
import type { TokenSecrets } from "./tokens.ts";

/** The entry's `with`. */
export interface DhtConfig {
  readonly bootstrap: readonly HostPort[];
  readonly secure: Secure;
  readonly read_only: boolean;
  readonly queries_per_address: number;
  readonly queries: number;
}

const FIRST_BYTE = "d".charCodeAt(0);
// Somebody who knows nobody tries again, ever more rarely (ms).
const FIRST_RETRY = 5_000;
const LONGEST_RETRY = 10 * 60_000;
// Nodes that were known once have so long to answer before the bootstrap hosts are asked (ms).
const SAVED_PATIENCE = 5_000;
// With fewer nodes than this, the bootstrap hosts are asked again.
const FEW_NODES = 3;
// What a kill may cost: nodes learned since then (ms).
const SAVE_INTERVAL = 10 * 60_000;
// Torrents may name many; a few are enough to get in.
const MAX_TORRENT_NODES = 16;
const KEY = "tables";
const CARRY_VERSION = 1;

interface Carried {
  readonly tables: Uint8Array;
  readonly secrets: TokenSecrets;
  readonly peers: readonly SavedPeer[];
}

/** A running DHT node. What it does ends with its plugin. */
export class DhtNode {
  readonly machine: DhtMachine;
  readonly #plugin: PluginScope<DhtConfig>;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #saved: Uint8Array | undefined;
  #retry = FIRST_RETRY;
  #rejoin: Timer | undefined;
  readonly #joined = Promise.withResolvers<void>();

  /** Use {@link createDhtNode}. */
  constructor(plugin: PluginScope<DhtConfig>, saved: Uint8Array | undefined) {
    this.#plugin = plugin;
    const { config, clock, random } = plugin;
    const carried = plugin.carry<Carried>("node", CARRY_VERSION, () => this.#carry());
    this.#saved = carried?.tables ?? saved;
    this.machine = new DhtMachine(clock.now(), {
      random,
      secure: config.secure,
      readOnly: config.read_only,
      budget: { perAddress: config.queries_per_address, total: config.queries },
      ids: this.#read().ids,
      ...(carried && { secrets: carried.secrets }),
    });
    if (carried) this.machine.known.peers.restore(clock.now(), carried.peers);
    plugin.udp.claim([FIRST_BYTE], (bytes, from) => {
      this.machine.handleDatagram(clock.now(), bytes, from);
      this.#drain();
      return true;
    });
    plugin.signal.addEventListener("abort", () => this.#joined.resolve(), { once: true });
    plugin.defer(() => this.#save());
    plugin.udp.onBound(() => void this.#join());
    this.#saveLater();
  }

  /** The UDP port, 0 while there is none. */
  get port(): number {
    return this.#plugin.udp.addresses[0]?.port ?? 0;
  }

  /** Resolves once it has looked for its neighbours, whatever came of it. */
  get joined(): Promise<void> {
    return this.#joined.promise;
  }

  /** A node that somebody named: it is asked whether it is there. */
  named(address: PeerAddress): void {
    this.machine.handleNamed(this.#plugin.clock.now(), address);
    this.#drain();
  }

  /** The addresses of nodes that a torrent names, as `host:port`. */
  async addressesOf(nodes: readonly string[]): Promise<PeerAddress[]> {
    const hosts = nodes.slice(0, MAX_TORRENT_NODES).map(tryParseHostPort).filter((host) => host !== undefined);
    return (await Promise.all(hosts.map((host) => this.#resolve(host)))).flat();
  }

  /** One lookup; rejects when `signal` aborts. */
  lookup(request: LookupRequest, signal: AbortSignal = this.#plugin.signal): Promise<LookupResult> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = (): void => {
        running[Symbol.dispose]();
        this.machine.handleTimeout(this.#plugin.clock.now());
        this.#drain();
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      const running = this.machine.lookup(this.#plugin.clock.now(), {
        ...request,
        done: (result) => {
          signal.removeEventListener("abort", abort);
          resolve(result);
        },
      });
      this.#drain();
    });
  }

  /** Tells the nodes of a lookup that we are in a swarm, at a TCP port. Resolves to how many took it. */
  async announce(nodes: readonly Answered[], infoHash: NodeId, port: number, seed: boolean): Promise<number> {
    return (await this.#tell(nodes, "announce_peer", { infoHash, port, seed })).taken;
  }

  /** The estimated number of seeds and of other peers of a swarm (BEP 33). */
  async scrape(infoHash: NodeId, signal?: AbortSignal): Promise<{ seeds: number; peers: number }> {
    const [seeds, peers] = [new Uint8Array(BLOOM_LENGTH), new Uint8Array(BLOOM_LENGTH)];
    await this.lookup({
      target: infoHash,
      method: "get_peers",
      arguments: { scrape: true },
      replied: (reply) => {
        if (reply.seeds) mergeBloom(seeds, reply.seeds);
        if (reply.peers) mergeBloom(peers, reply.peers);
      },
    }, signal);
    return { seeds: estimateBloom(seeds), peers: estimateBloom(peers) };
  }

  /** The item at a target (BEP 44), of a mutable one the newest; its salt must be given if it has one. */
  async getItem(
    target: NodeId,
    { salt, signal }: { readonly salt?: Uint8Array; readonly signal?: AbortSignal } = {},
  ): Promise<Item | undefined> {
    return (await this.#getItem(target, salt, signal)).item;
  }

  /**
   * Stores an item (BEP 44) at the nodes closest to its target. `cas` is the `seq` that a mutable one must have now.
   *
   * @returns where it is, how many nodes took it, and what the last one that didn't said
   */
  async putItem(
    item: Item,
    { cas, signal }: { readonly cas?: number; readonly signal?: AbortSignal } = {},
  ): Promise<{ target: NodeId; taken: number; refusal?: string }> {
    const fault = itemFault(item);
    if (fault) throw new ProtocolError(`Cannot store item: ${fault.text}`);
    const target = itemTarget(item);
    const { closest } = await this.#getItem(target, item.salt, signal);
    return { target, ...(await this.#tell(closest, "put", { ...item, ...(cas !== undefined && { cas }) })) };
  }

  /** Info-hashes that the nodes closest to a target store peers for (BEP 51). */
  async sampleInfohashes(target: NodeId, signal?: AbortSignal): Promise<ReadonlySet<NodeId>> {
    const samples = new Set<NodeId>();
    await this.lookup({
      target,
      method: "sample_infohashes",
      replied: (reply) => reply.samples?.forEach((sample) => samples.add(sample)),
    }, signal);
    return samples;
  }

  async #getItem(
    target: NodeId,
    salt: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<{ item?: Item; closest: readonly Answered[] }> {
    let item: Item | undefined;
    const { closest } = await this.lookup({
      target,
      method: "get",
      replied: ({ v, k, sig, seq }) => {
        if (!v || (item && (!k || seq === undefined || seq <= item.seq!))) return;
        const given = k ? { v, k, sig, seq, ...(salt && { salt }) } : { v };
        if (itemTarget(given) === target && itemFault(given) === undefined) item = given;
      },
    }, signal);
    return { closest, ...(item && { item }) };
  }

  #tell(
    nodes: readonly Answered[],
    method: "announce_peer" | "put",
    args: Parameters<DhtMachine["tell"]>[3],
  ): Promise<{ taken: number; refusal?: string }> {
    return new Promise((resolve) => {
      const done = (taken: number, refusal?: string): void => resolve({ taken, ...(refusal && { refusal }) });
      this.machine.tell(this.#plugin.clock.now(), nodes, method, args, done);
      this.#drain();
    });
  }

  /** Sends what there is to send, and sets the timer. */
  #drain(): void {
    const { udp, clock } = this.#plugin;
    for (let next = this.machine.pollTransmit(); next; next = this.machine.pollTransmit()) {
      if (!udp.send(next.bytes, next.to)) this.machine.handleRefused(clock.now(), next.to);
    }
    const at = this.machine.pollTimeout();
    // A timer that fires early is harmless, so it is only moved forward: most of what it waits for comes in time.
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = clock.after(Math.max(0, at - clock.now()), () => {
      this.#timerAt = Infinity;
      this.machine.handleTimeout(clock.now());
      this.#drain();
    });
  }

  /** Looks for our neighbours, and again as long as there are few. */
  async #join(): Promise<void> {
    const { udp, clock, config, signal } = this.#plugin;
    this.#rejoin?.cancel();
    this.machine.families = ([4, 6] as const).filter((family) => udp.addresses.some((bound) => speaks(bound, family)));
    const { contacts } = this.#read();
    if (this.machine.size < FEW_NODES && contacts.length > 0) {
      // Those that were known once spare the bootstrap hosts, and names, unless too few of them are left.
      await new Promise<void>((resolve) => {
        this.machine.join(clock.now(), [], contacts, resolve);
        this.#drain();
        clock.after(SAVED_PATIENCE, resolve);
      });
    }
    if (this.machine.size < FEW_NODES) {
      const doors = (await Promise.all(config.bootstrap.map((host) => this.#resolve(host)))).flat();
      if (signal.aborted) return;
      this.machine.join(clock.now(), doors, contacts, () => this.#joined.resolve());
      this.#drain();
      this.#retry = Math.min(LONGEST_RETRY, this.#retry * 2);
    } else {
      this.#joined.resolve();
      this.#retry = FIRST_RETRY;
    }
    this.#rejoin?.cancel();
    this.#rejoin = clock.after(this.machine.size < FEW_NODES ? this.#retry : LONGEST_RETRY, () => void this.#join());
  }

  async #resolve({ host, port }: HostPort): Promise<PeerAddress[]> {
    try {
      const ips = parseIp(host) ? [host] : await this.#plugin.net.resolve(host);
      return ips.map((ip) => peerAddress(ip, port));
    } catch (error) {
      if (!this.#plugin.signal.aborted) {
        this.#plugin.log.debug(`Cannot resolve "${host}": ${error instanceof Error ? error.message : error}`);
      }
      return [];
    }
  }

  #read(): ReturnType<typeof decodeTables> {
    try {
      if (this.#saved) return decodeTables(this.#saved);
    } catch {
      this.#plugin.log.warn("Cannot read the saved nodes: they are damaged, and left out");
    }
    return { ids: {}, contacts: [] };
  }

  #tables(): Uint8Array {
    const { tables } = this.machine.known;
    const contacts = [...tables[4].nodes(), ...tables[6].nodes()];
    return encodeTables({
      ids: { 4: tables[4].id, 6: tables[6].id },
      // Who knows nobody just now, as without a network, keeps whom it knew.
      contacts: contacts.length > 0 ? contacts : this.#read().contacts,
    });
  }

  #carry(): Carried {
    const { tokens, peers } = this.machine.known;
    return { tables: this.#tables(), secrets: tokens.secrets, peers: peers.save(this.#plugin.clock.now()) };
  }

  #saveLater(): void {
    this.#plugin.clock.after(SAVE_INTERVAL, () => {
      void this.#save();
      this.#saveLater();
    });
  }

  async #save(): Promise<void> {
    try {
      this.#saved = this.#tables();
      await this.#plugin.state.set(KEY, this.#saved);
    } catch (error) {
      this.#plugin.log.warn(`Cannot save the nodes: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** Starts a node on the plugin's shared UDP port, from what was kept of an earlier one. */
export async function createDhtNode(plugin: PluginScope<DhtConfig>): Promise<DhtNode> {
  return new DhtNode(plugin, await plugin.state.get(KEY));
}

/** Whether a bound address reaches a family: `::` reaches both. */
function speaks({ ip, family }: PeerAddress, wanted: 4 | 6): boolean {
  return family === wanted || ip === "::";
}
