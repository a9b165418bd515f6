/**
 * Plugins: what an author writes and what the kernel hands to it.
 *
 * @module
 */
import type { PeerAddress, TorrentId } from "../wire/mod.ts";
import type { Handler, Hook, Verb } from "./hook.ts";
import type {
  BindAddress,
  ByteStream,
  Clock,
  DatagramSocket,
  HttpHandler,
  HttpServer,
  MulticastOptions,
  NetworkInterface,
  Random,
  StreamListener,
} from "./host.ts";
import type { Schema } from "./schema.ts";
import { object } from "./schema_shape.ts";

/** Messages of a plugin; each line is stamped with the entry's name. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/**
 * Leave to connect where the egress guard alone would refuse. The kernel makes it for one purpose (a tracker of a swarm
 * whose user allowed it, a peer that was admitted) and hands it to the plugin that carries that out, for that call alone.
 */
export interface EgressGrant {
  /** Types only, never present: nobody else can make one. */
  readonly egressGrant: true;
}

/** An HTTP request through the egress guard. */
export interface RequestOptions {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal;
  /** What the call is for may lead where the guard alone would refuse. */
  readonly grant?: EgressGrant;
  /** More requests to the same server follow: the connection is kept open for them. */
  readonly keepAlive?: boolean;
}

/** A request whose answer is read as a whole. */
export interface FetchOptions extends RequestOptions {
  /** The most bytes of body to accept, after inflating; 1 MiB if not given. */
  readonly maxBytes?: number;
}

/** An answer whose body is still to be read. Read it to its end or cancel it: until then it holds its connection. */
export interface HttpAnswer {
  readonly status: number;
  readonly ok: boolean;
  readonly headers: Headers;
  /** The address that answered. */
  readonly from: string;
  /** Where the last redirect led. */
  readonly url: URL;
  /** Bytes after inflating: as many as the server sends, so count them. */
  readonly body: ReadableStream<Uint8Array>;
}

/** An answer whose body is already there, bounded. */
export interface FetchAnswer {
  readonly status: number;
  readonly ok: boolean;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  /** The address that answered. */
  readonly from: string;
  text(): string;
  // deno-lint-ignore no-explicit-any
  json(): any;
}

/** The network as a plugin sees it: names are resolved once, and every target passes the egress guard. */
export interface PluginNet {
  /** @throws {EgressError} when the target may not be connected to, naming the setting that would allow it */
  connect(to: PeerAddress, signal?: AbortSignal, grant?: EgressGrant): Promise<ByteStream>;
  listen(at: BindAddress): Promise<StreamListener>;
  datagrams(at: BindAddress): Promise<DatagramSocket>;
  /** The interfaces that are up, the loopback one among them; one without a name where they may not be listed. */
  interfaces(): Promise<readonly NetworkInterface[]>;
  /**
   * A socket that hears a group of IP multicast, and sends to that group alone: the guard lets it, since neighbours are
   * all that it reaches.
   *
   * @throws {EgressError} when `group` is no multicast address
   */
  multicast(options: MulticastOptions): Promise<DatagramSocket>;
  /** HTTP with at most 5 redirects, each hop guarded; credentials don't cross origins. */
  fetch(url: string | URL, options?: FetchOptions): Promise<FetchAnswer>;
  /** As `fetch`, with a body that is read as it comes. An abort of the signal ends it too. */
  request(url: string | URL, options?: RequestOptions): Promise<HttpAnswer>;
  resolve(name: string): Promise<readonly string[]>;
  serve(at: BindAddress, handler: HttpHandler): Promise<HttpServer>;
}

/**
 * The UDP port that plugins share, the one that peers are told. It belongs to the kernel: a plugin claims the datagrams
 * that are its own by their first byte (`d` is the DHT's, 0x01 to 0x41 with a low nibble of 1 uTP's, 0x00 a tracker's),
 * and several may stand behind one byte: each is asked in turn, the newest generation first.
 */
export interface UdpPort {
  /** Where it is bound; none before the plugins are started, and while nobody claims anything. */
  readonly addresses: readonly PeerAddress[];
  /** Calls `run` each time that it was bound somewhere else, from the first time on. Where it is bound now, soon. */
  onBound(run: () => void): Disposable;
  /**
   * Offers datagrams with one of these first bytes to `take`, which returns true for what it took. `bytes` is a view
   * that holds only during the call. Throws Error for others than the DHT's (0x64) without `wants: ["private"]`: they may
   * be of private swarms.
   *
   * @param options `last` for what may be a stranger's: asked once nobody else took it, older generations neither
   */
  claim(
    firstBytes: readonly number[],
    take: (bytes: Uint8Array, from: PeerAddress) => boolean,
    options?: { readonly last?: boolean },
  ): Disposable;
  /**
   * Sends a datagram; it may be lost on the way, as datagrams are. `bytes` must not change before {@link pending} is 0.
   *
   * @returns whether it was sent at all: the egress guard may refuse the target, or no socket speaks its family
   */
  send(bytes: Uint8Array, to: PeerAddress, grant?: EgressGrant): boolean;
  /** Datagrams that were handed to `send`, here or elsewhere, and have not left yet. */
  readonly pending: number;
  /**
   * Begins a conversation: as for a connection, the egress guard is asked now and not again. Who wrote the datagram that
   * is being taken may always be answered.
   *
   * @returns undefined where the guard refuses
   */
  open(to: PeerAddress, grant?: EgressGrant): UdpFlow | undefined;
}

/** Datagrams to one address; see {@link UdpPort.open}. */
export interface UdpFlow {
  readonly to: PeerAddress;
  /** As {@link UdpPort.send}; false when no socket speaks the target's family. */
  send(bytes: Uint8Array): boolean;
}

/** What a plugin keeps across restarts, by key: bytes in the state file, at most 1 MiB an entry of the profile. */
export interface PluginState {
  get(key: string): Promise<Uint8Array | undefined>;
  /** @throws {Error} when there would be more than 1 MiB */
  set(key: string, value: Uint8Array): Promise<void>;
}

/** A swarm as plugins see it. Private ones are not shown. */
export interface PublicSwarm {
  readonly id: TorrentId;
  readonly name: string;
  readonly seeding: boolean;
  /** DHT nodes that its torrent names (BEP 5), as `host:port`. */
  readonly nodes: readonly string[];
}

/** The swarms that may be announced: a live view, without the private ones. */
export interface SwarmsView extends Iterable<PublicSwarm> {
  get(wireIdHex: string): PublicSwarm | undefined;
  readonly size: number;
  /** Has `holdSwarm` asked anew, soon, for every swarm that the user did not pause. */
  review(): void;
  /** Where this runtime accepts peers, as announces tell it; 0 while there is no such port. */
  readonly port: number;
}

/** Everything a plugin's `setup` gets. What it acquires here is undone for it when the entry is retired. */
export interface PluginScope<Config = unknown> {
  /** The entry's identity: `as`, else `use`. */
  readonly name: string;
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly net: PluginNet;
  readonly log: Logger;
  readonly swarms: SwarmsView;
  readonly udp: UdpPort;
  readonly state: PluginState;
  /** Aborts when the entry is retired. */
  readonly signal: AbortSignal;
  /** Attaches a handler; the result detaches it early. */
  on<V extends Exclude<Verb, "keyed">, In, Out>(
    hook: Hook<V, In, Out>,
    handler: NoInfer<Handler<V, In, Out>>,
  ): Disposable;
  /** Provides a value under a key; a duplicate key is a config error that names both plugins. */
  provide<In, Out>(hook: Hook<"keyed", In, Out>, key: string, value: NoInfer<Out>): Disposable;
  /** Owns a resource: disposed of, last first, when the entry is retired. */
  use<R extends Disposable | AsyncDisposable>(resource: R): R;
  /** Runs `run` when the entry is retired. */
  defer(run: () => void | Promise<void>): void;
  /**
   * Hands plain data on to the entry's next generation: `save` is asked when that one is set up, and what it gives
   * (copied, as by `structuredClone`) is what that one's own `carry` of the same key and version returns. Never an
   * instance of a class: its code may be another by then.
   *
   * @returns what the generation before saved; undefined when there is none, or it was of another version
   */
  carry<Data>(key: string, version: number, save: () => Data): Data | undefined;
  /** Keeps the entry from being disposed of while it drains, until the result is disposed: something still uses it. */
  hold(): Disposable;
}

/**
 * What a plugin may ask for beyond what all get.
 *
 * - `private`: what is said and asked of private swarms (BEP 27), which goes to no other plugin: their names, peers and
 *   trackers. Their streams run through its transports, their trackers are asked through its clients, and its extensions
 *   speak with their peers. An isolated plugin is granted it by `permissions: { private: true }` of its entry.
 */
export type Want = "private";

/**
 * The version of the contract between Weft and plugins: all that `weft` exports. It grows when something that is there
 * changes its meaning or goes away. What is added (hooks, options, fields of requests and events) leaves it as it is: so
 * ignore fields that you don't know, and leave other verbs and states than you know alone.
 */
export const API = 1;

/** A plugin, made with {@link definePlugin}. */
export interface Plugin<Config = unknown> {
  /** The version of the contract that it is written for, {@link API}: another Weft then says so instead of guessing. */
  readonly api?: number;
  /** What the profile calls it. */
  readonly name: string;
  /** One line on what it does. */
  readonly summary?: string;
  /** The schema of the entry's `with`. */
  readonly config: Schema<Config>;
  /** A `with` as its documentation shows it, as YAML would give it; conformance tests start from it. */
  readonly example?: Readonly<Record<string, unknown>>;
  /** Capabilities that another entry must provide, such as `"transports"`: a hook's name, or `hook:key`. */
  readonly needs?: readonly string[];
  /** Capabilities that it provides, in the same words; the runtime orders entries by them. */
  readonly provides?: readonly string[];
  /** What it asks for beyond what all plugins get. */
  readonly wants?: readonly Want[];
  /** Addresses that the user wrote into the entry, in the words of `egress.allow`: connections there pass the guard. */
  egress?(config: Config): readonly string[];
  setup(plugin: PluginScope<Config>): void | Promise<void>;
}

/** A plugin as its author writes it: one that nothing is to be said to needs no schema. */
export type PluginDefinition<Config> = Omit<Plugin<Config>, "config"> & { readonly config?: Schema<Config> };

/** A `with` without keys. */
export type NoConfig = Readonly<Record<never, never>>;

/** Defines a plugin, and gives it its types. */
export function definePlugin<Config = NoConfig>(plugin: PluginDefinition<Config>): Plugin<Config> {
  if (plugin.config) return plugin as Plugin<Config>;
  return { ...plugin, setup: (scope) => plugin.setup(scope), config: object({}) as unknown as Schema<Config> };
}

/**
 * The plugin that a module exports, or what is wrong with it, in words. `config` may be missing where there is nothing to
 * configure.
 */
export function readPlugin(exported: unknown): Plugin | string {
  const { name, setup, config, api } = (exported ?? {}) as Partial<Plugin>;
  if (typeof setup !== "function") {
    return "has no plugin as its default export; write `export default definePlugin({ ... })`";
  }
  if (typeof name !== "string") return "exports a plugin without `name`";
  if (api !== undefined && api !== API) {
    return `is written for version ${api} of the contract, and this Weft has version ${API}; ` +
      (typeof api === "number" && api > API ? "update Weft" : "update the plugin");
  }
  if (config !== undefined && typeof config?.decode !== "function") {
    return 'exports a plugin whose `config` is no schema; write it with `object` of "weft"';
  }
  return definePlugin(exported as Plugin);
}
