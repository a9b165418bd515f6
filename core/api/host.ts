/**
 * The world, injectable. Everything that Weft reads from or does to the machine it runs on goes through these
 * interfaces: `core/host/deno` is the real one, `core/host/memory` runs whole swarms in one process and in
 * simulated time.
 *
 * @module
 */
import type { PeerAddress } from "../wire/mod.ts";

/** Why the network refused. `closed` is our own doing; `notFound` is a name that does not resolve. */
export type NetFault =
  | "refused"
  | "reset"
  | "timedOut"
  | "unreachable"
  | "inUse"
  | "notFound"
  | "denied"
  | "tooManyFiles"
  | "closed"
  | "io";

/** A network operation that failed. The message names the address. */
export class NetError extends Error {
  override readonly name = "NetError";
  constructor(readonly fault: NetFault, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** A scheduled call. `cancel` twice is fine. */
export interface Timer {
  cancel(): void;
}

/** Time, in milliseconds. Intervals use {@link Clock.now}; only people and trackers see {@link Clock.wall}. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. A jump of the wall clock does not move it. */
  now(): number;
  /** Milliseconds since the Unix epoch, as the machine believes. */
  wall(): number;
  /** Calls `run` once, `milliseconds` from now. */
  after(milliseconds: number, run: () => void): Timer;
  /**
   * Resolves once everything else that is due had its turn, I/O included. What is ready at once settles without one:
   * a loop over such promises must take turns, or it holds up everybody else.
   */
  turn(): Promise<void>;
}

/** Randomness: unpredictable on the real host, seeded on the memory host. */
export interface Random {
  /** `length` random bytes. */
  bytes(length: number): Uint8Array;
  /** A whole number from 0 up to, not including, `bound` (at most 2^32). */
  below(bound: number): number;
}

/**
 * A stream of bytes in both directions: TCP, uTP, or either of them under MSE.
 *
 * One read and one write may be pending at a time. A pending call settles before its buffer may be used again, also
 * when the stream closes under it.
 */
export interface ByteStream {
  readonly local: PeerAddress;
  readonly remote: PeerAddress;
  /** Fills the start of `into` and returns how many bytes it put there; 0 is the end of the stream. */
  read(into: Uint8Array): Promise<number>;
  /** Gives bytes back: the next reads return them first. They are copied. */
  unread(bytes: Uint8Array): void;
  /** Writes all of `bytes`. They may be reused once the promise settles. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the outgoing direction; what the other side still sends can be read. */
  closeWrite(): Promise<void>;
  /** Closes both directions; pending calls reject with `reason`. Twice is fine: the first reason stays. */
  close(reason?: Error): void;
}

/** A listening socket. */
export interface StreamListener {
  readonly address: PeerAddress;
  /** The next connection; rejects once closed. */
  accept(): Promise<ByteStream>;
  close(): void;
}

/** A UDP socket. */
export interface DatagramSocket {
  readonly address: PeerAddress;
  /** The next datagram. `bytes` is a view of `into`. Rejects once closed. */
  receive(into: Uint8Array): Promise<{ bytes: Uint8Array; from: PeerAddress }>;
  send(bytes: Uint8Array, to: PeerAddress): Promise<void>;
  close(): void;
}

/** A network interface that is up. */
export interface NetworkInterface {
  /** As the system calls it; "" stands for whichever the system would take, where it doesn't tell which there are. */
  readonly name: string;
  /** The system's number for it; 0 where that isn't known. */
  readonly index: number;
  /** Its addresses, canonical texts. */
  readonly ips: readonly string[];
  /** Whether it leads to this machine alone. */
  readonly loopback: boolean;
  /** Whether it leads to one other end alone, as tunnels do: nobody else hears what is sent there. */
  readonly tunnel: boolean;
}

/** A group of IP multicast to join, on every one of the interfaces that speaks its family. */
export interface MulticastOptions {
  /** An IP that {@link ipScope} calls multicast. */
  readonly group: string;
  readonly port: number;
  readonly interfaces: readonly NetworkInterface[];
}

/** Where a socket binds: an IP (`"::"` is dual-stack) and a port (0 lets the system choose). */
export interface BindAddress {
  readonly ip: string;
  readonly port: number;
}

/** One HTTP exchange, to one already resolved address. Redirects are not followed: that is the caller's policy. */
export interface HttpRequest {
  readonly url: URL;
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Connect here, whatever the name in `url` resolves to (https keeps the name for TLS); a path is a Unix socket. */
  readonly connectTo?: PeerAddress | { readonly path: string };
  readonly signal?: AbortSignal;
  /** Use a connection that an earlier request to the same place left open, and leave this one open for the next. */
  readonly keepAlive?: boolean;
}

/** Serves HTTP until closed. */
export interface HttpServer {
  /** The address it listens on; undefined for a Unix socket. */
  readonly address?: PeerAddress;
  close(): Promise<void>;
}

/** A function that answers HTTP requests; hono's `app.fetch` is one. `from` is who asks; none on a Unix socket. */
export type HttpHandler = (request: Request, from?: PeerAddress) => Response | Promise<Response>;

/**
 * The network. Addresses are already canonical; policy (the egress guard) lives above. Failures are {@link NetError},
 * an abort rejects with the signal's reason.
 */
export interface HostNet {
  connect(to: PeerAddress, options?: { signal?: AbortSignal }): Promise<ByteStream>;
  listen(at: BindAddress, options?: { reusePort?: boolean }): Promise<StreamListener>;
  datagrams(at: BindAddress): Promise<DatagramSocket>;
  /** The interfaces that are up, the loopback one among them; one without a name where they may not be listed. */
  interfaces(): Promise<readonly NetworkInterface[]>;
  /**
   * A socket that hears a group, also what this machine sends to it, and shares its port with others that do. What it
   * sends goes to the group alone, once on every interface and no further than to neighbours; it fails when no
   * interface takes it.
   *
   * @throws {NetError} when none of the interfaces can join
   */
  multicast(options: MulticastOptions): Promise<DatagramSocket>;
  /** The addresses of a host name: IP texts, in the resolver's order. */
  resolve(name: string): Promise<readonly string[]>;
  http(request: HttpRequest): Promise<Response>;
  /** Serves HTTP at an address, or on a Unix socket that only this user may use (mode 0600). */
  serve(at: BindAddress | { readonly path: string }, handler: HttpHandler): Promise<HttpServer>;
}

/** Why the disk refused. */
export type DiskFault = "full" | "denied" | "readOnly" | "notFound" | "exists" | "tooManyFiles" | "io";

/** A disk operation that failed. The message names the path. */
export class DiskError extends Error {
  override readonly name = "DiskError";
  constructor(readonly fault: DiskFault, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** What a path holds. Times are milliseconds since the epoch, sizes are bytes. */
export interface FileStat {
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly size: number;
  readonly modified: number;
  /** The number of the user it belongs to, and what who may do (the last nine bits of its mode). */
  readonly owner: number;
  readonly access: number;
  /** Which file it is: paths with the same one lead to the same bytes. Absent where the disk doesn't tell. */
  readonly id?: string;
  /** How many names lead to it; 0 once an open file was deleted. */
  readonly links: number;
}

/** An open file. Reads and writes are positional; any number may run at once. */
export interface DiskFile {
  /** Reads into `into` from `position`; returns how many bytes there were (less only at the file's end). */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes` at `position`, or throws {@link DiskError}. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(size: number): Promise<void>;
  /** Makes what was written survive a power cut. */
  sync(): Promise<void>;
  /** At once, since it takes no longer than to ask for it: a microsecond. */
  stat(): FileStat;
  close(): Promise<void>;
}

/** Consecutive bytes of a file. */
export interface FileRange {
  readonly path: string;
  readonly position: number;
  readonly length: number;
}

/** Files. Every failure is a {@link DiskError}. */
export interface Disk {
  /** The number of the user whose files this process makes; undefined where that can't be found out. */
  user(): Promise<number | undefined>;
  /** With `create` what isn't there is made; with `"new"` what is there is refused, as `exists`. */
  open(path: string, options: { write: boolean; create?: boolean | "new" }): Promise<DiskFile>;
  /** What is at `path` itself (a symlink is not followed), or undefined. */
  lstat(path: string): Promise<FileStat | undefined>;
  stat(path: string): Promise<FileStat | undefined>;
  /** The path with every symlink resolved; throws `notFound`. */
  realPath(path: string): Promise<string>;
  /** Makes the directory and its parents; with `private`, the directory itself is for this user alone if it is made. */
  makeDirectory(path: string, options?: { private?: boolean }): Promise<void>;
  list(path: string): Promise<readonly string[]>;
  remove(path: string, options?: { recursive?: boolean }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  readFile(path: string, options?: { maxBytes?: number }): Promise<Uint8Array>;
  /** Replaces the file whole: readers see the old bytes or the new, never a part. */
  writeFile(path: string, bytes: Uint8Array): Promise<void>;
  /**
   * Calls `changed` when one of the files may have changed, were removed or replaced, until disposed; several changes
   * may be told as one. A file that isn't there yet is noticed when it comes.
   */
  watch(paths: readonly string[], changed: () => void): Disposable;
  /**
   * Hashes ranges as one run of bytes, off the main thread on the real host. A range without a path stands for
   * zeros; undefined when a file is missing or too short.
   */
  digest(
    algorithm: "sha1" | "sha256",
    ranges: readonly (FileRange | { readonly path?: undefined; readonly length: number })[],
  ): Promise<Uint8Array | undefined>;
}

/** What isolated code may do, in Deno's words; nothing that isn't listed. */
export interface IsolatePermissions {
  /** Hosts, `host:port`, or true for all. */
  readonly net?: readonly string[] | true;
  /** Files and folders, absolute, besides those of its own code. */
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  /** Environment variables by name. */
  readonly env?: readonly string[];
  /** What is said and asked of private swarms may reach it, if it wants that. */
  readonly private?: boolean;
}

/** What {@link HostIsolates.start} needs. */
export interface IsolateOptions {
  readonly kind: "worker" | "process";
  readonly permissions: IsolatePermissions;
  /** Most bytes of memory that a process may use; a worker's can't be bounded. */
  readonly memory: number;
  /** The folders with the code that it may load, absolute. */
  readonly code: readonly string[];
  /** A message from inside: plain data, whatever the code there made of it. */
  readonly onMessage: (message: unknown) => void;
  /** It ended, and not by `kill`. Told once. */
  readonly onEnd: (reason: Error) => void;
}

/** Isolated code: a worker or a process of its own, which speaks in messages. */
export interface Isolate {
  /** Sends plain data (what `structuredClone` takes, without functions and class instances). */
  post(message: unknown): void;
  /** Ends it at once: nothing more is heard of it. Twice is fine. */
  kill(): void;
  /**
   * Whether what was killed while it hung is gone, after a moment if need be: a thread may be stuck where the runtime
   * can't end it, and keep a processor busy until this process ends.
   */
  gone(): Promise<boolean>;
}

/** Starts isolated code. */
export interface HostIsolates {
  start(options: IsolateOptions): Promise<Isolate>;
}

/** A module that could not be read or run. The message begins with the place, where it is known. */
export class ModuleError extends Error {
  override readonly name = "ModuleError";
}

/** The code behind a module, as it is now. */
export interface ModuleCode {
  /** Changes when the module does, or a local file that it imports, however far down. */
  readonly version: string;
  /** Those files, absolute: none for code that comes from elsewhere. One of them may be missing. */
  readonly files: readonly string[];
}

/** A module that ran. */
export interface LoadedModule extends ModuleCode {
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Loads code while Weft runs. Failures are {@link ModuleError}. */
export interface HostModules {
  /** Looks at a module without running it. */
  inspect(url: string): Promise<ModuleCode>;
  /**
   * Imports a module as it is now, with the local files that it imports; the same version gives the same instance.
   * What it imports under the name `weft` is always one and the same.
   */
  load(url: string): Promise<LoadedModule>;
}

/** A value that SQLite stores. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** SQL with its parameters, in order. */
export interface Statement {
  readonly sql: string;
  readonly values?: readonly SqlValue[];
}

/** One SQLite database, off the main thread on the real host. */
export interface Database {
  /** Runs the statements in one transaction; resolves once it is committed. */
  run(statements: readonly Statement[]): Promise<void>;
  all(statement: Statement): Promise<readonly Readonly<Record<string, SqlValue>>[]>;
  close(): Promise<void>;
}

/** Opens databases. The file is locked for this process until closed: a second opener fails at once. */
export interface HostDb {
  /** @throws {DiskError} `denied` with a message that says who holds it, when another process has it open */
  open(path: string): Promise<Database>;
}

/** The terminal and the process around the CLI. */
export interface Terminal {
  readonly interactive: boolean;
  readonly columns: number;
  out(text: string): void;
  error(text: string): void;
  /** Asks whoever sits in front of it for a line; undefined where nobody does, or it ends without one. */
  ask(question: string): Promise<string | undefined>;
  /** Calls `run` on a signal until the result is disposed. */
  onSignal(signal: "SIGINT" | "SIGTERM" | "SIGHUP", run: () => void): Disposable;
}

/** What a runtime needs of the world. */
export interface Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: HostNet;
  readonly disk: Disk;
  readonly db: HostDb;
  /**
   * How many more files and sockets this process may have open, counting up to `atMost`. Absent where that has no limit.
   */
  descriptors?(atMost: number): number;
  /** Absent where no code can be loaded. */
  readonly modules?: HostModules;
  /** Absent where nothing can be isolated. */
  readonly isolates?: HostIsolates;
}
