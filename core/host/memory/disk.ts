import { createHash } from "node:crypto";
import { type Disk, DiskError, type DiskFault, type DiskFile, type FileRange, type FileStat } from "../../api/mod.ts";
import { type DiskTree, type FileNode, statOf, USER } from "./disk_tree.ts";
import type { Life } from "./life.ts";

/** What can be made to fail. Reading and writing a whole file count as open, read, write and sync too. */
export type DiskOperation =
  | "open"
  | "read"
  | "write"
  | "truncate"
  | "sync"
  | "stat"
  | "makeDirectory"
  | "list"
  | "remove"
  | "rename";

/** Judges one operation: the fault to fail it with, or undefined. */
export type FaultRule = (path: string, position: number, length: number) => DiskFault | undefined;

/** A disk whose faults tests inject; it survives the processes that use it. */
export interface FaultyDisk {
  readonly tree: DiskTree;
  readonly rules: Set<{ operation: DiskOperation; rule: FaultRule }>;
  /** Bytes that fit on it, holes counted. */
  capacity: number;
  /** Milliseconds that each operation takes; 0 is a microtask. */
  latency: number;
  sleep(milliseconds: number): Promise<void>;
  wall(): number;
}

/** The disk as one process sees it. */
export class MemoryDisk implements Disk {
  readonly #disk: FaultyDisk;
  readonly #life: Life;

  constructor(disk: FaultyDisk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  /** Bytes that fit; a write beyond them fails with "full", after writing what fits. */
  get capacity(): number {
    return this.#disk.capacity;
  }

  set capacity(bytes: number) {
    this.#disk.capacity = bytes;
  }

  /** Milliseconds of simulated time that each operation takes; 0, the default, is a microtask. */
  get latency(): number {
    return this.#disk.latency;
  }

  set latency(milliseconds: number) {
    this.#disk.latency = milliseconds;
  }

  /** Fails operations of one kind as `rule` says, until the result is disposed. */
  fault(operation: DiskOperation, rule: FaultRule): Disposable {
    const entry = { operation, rule };
    this.#disk.rules.add(entry);
    return { [Symbol.dispose]: () => void this.#disk.rules.delete(entry) };
  }

  /** Makes a symlink, at once: a test's trap for the path resolver. */
  symlink(path: string, target: string): void {
    this.#disk.tree.symlink(path, target);
  }

  /** Everything here belongs to one user. */
  user(): Promise<number | undefined> {
    return Promise.resolve(USER);
  }

  async open(
    path: string,
    { write, create = false }: { write: boolean; create?: boolean | "new" },
  ): Promise<DiskFile> {
    await this.begin("open", path);
    if (create === "new" && this.#disk.tree.find(path, false)) {
      throw new DiskError("exists", `Cannot open "${path}": it exists`);
    }
    return new MemoryFile(this, path, this.#disk.tree.openFile(path, write && create !== false), write);
  }

  async lstat(path: string): Promise<FileStat | undefined> {
    await this.begin("stat", path);
    const node = this.#disk.tree.find(path, false);
    return node && statOf(node);
  }

  async stat(path: string): Promise<FileStat | undefined> {
    await this.begin("stat", path);
    const node = this.#disk.tree.find(path);
    return node && statOf(node);
  }

  async realPath(path: string): Promise<string> {
    await this.begin("stat", path);
    return this.#disk.tree.realPath(path);
  }

  async makeDirectory(path: string, options: { private?: boolean } = {}): Promise<void> {
    await this.begin("makeDirectory", path);
    this.#disk.tree.makeDirectory(path, options.private ?? false);
  }

  async list(path: string): Promise<readonly string[]> {
    await this.begin("list", path);
    return this.#disk.tree.list(path);
  }

  async remove(path: string, { recursive = false }: { recursive?: boolean } = {}): Promise<void> {
    await this.begin("remove", path);
    this.#disk.tree.remove(path, recursive);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.begin("rename", from);
    this.#disk.tree.rename(from, to);
  }

  async readFile(path: string, { maxBytes = Infinity }: { maxBytes?: number } = {}): Promise<Uint8Array> {
    const file = await this.open(path, { write: false });
    const { size } = file.stat();
    if (size > maxBytes) throw new DiskError("io", `Cannot read "${path}": it has more than ${maxBytes} bytes`);
    const bytes = new Uint8Array(size);
    await file.read(bytes, 0);
    return bytes;
  }

  async writeFile(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${path}.tmp`;
    const file = await this.open(temporary, { write: true, create: true });
    try {
      await file.truncate(0);
      await file.write(bytes, 0);
      await file.sync();
      await this.rename(temporary, path);
    } catch (error) {
      this.#disk.tree.remove(temporary, false);
      throw error;
    }
  }

  watch(paths: readonly string[], changed: () => void): Disposable {
    let told = false;
    const watching = this.#disk.tree.watch(paths, () => {
      if (told) return;
      told = true;
      queueMicrotask(() => {
        told = false;
        if (watching.active && this.#life.alive) changed();
      });
    });
    return watching;
  }

  async digest(
    algorithm: "sha1" | "sha256",
    ranges: readonly (FileRange | { readonly path?: undefined; readonly length: number })[],
  ): Promise<Uint8Array | undefined> {
    const hash = createHash(algorithm);
    for (const range of ranges) {
      const bytes = new Uint8Array(range.length);
      if (range.path !== undefined) {
        await this.begin("read", range.path, range.position, range.length);
        const node = this.#disk.tree.find(range.path);
        if (node?.kind !== "file" || node.bytes.read(bytes, range.position) < range.length) return undefined;
      }
      hash.update(bytes);
    }
    await this.#life.step();
    return new Uint8Array(hash.digest());
  }

  /** Lets an operation's time pass, then fails it if a rule says so. Its effect follows at once. */
  async begin(operation: DiskOperation, path: string, position = 0, length = 0): Promise<void> {
    if (this.#disk.latency > 0) await this.#disk.sleep(this.#disk.latency);
    await this.#life.step();
    for (const entry of this.#disk.rules) {
      const fault = entry.operation === operation ? entry.rule(path, position, length) : undefined;
      if (fault) throw new DiskError(fault, `Cannot ${operation} "${path}": ${fault} (injected)`);
    }
  }

  /** How many bytes a file may still grow by. */
  get room(): number {
    return this.capacity === Infinity ? Infinity : this.capacity - this.#disk.tree.used;
  }

  touch(node: FileNode): void {
    this.#disk.tree.touch(node);
  }
}

class MemoryFile implements DiskFile {
  #closed = false;

  constructor(
    readonly disk: MemoryDisk,
    readonly path: string,
    readonly node: FileNode,
    readonly writable: boolean,
  ) {}

  async read(into: Uint8Array, position: number): Promise<number> {
    await this.#begin("read", position, into.length);
    return this.node.bytes.read(into, position);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.#begin("write", position, bytes.length);
    if (!this.writable) throw new DiskError("denied", `Cannot write "${this.path}": it was opened for reading`);
    const fits = Math.max(position, this.node.bytes.size) - position + this.disk.room;
    this.node.bytes.write(bytes.subarray(0, Math.max(0, fits)), position);
    this.disk.touch(this.node);
    if (fits < bytes.length) throw new DiskError("full", `Cannot write "${this.path}": no space left on device`);
  }

  async truncate(size: number): Promise<void> {
    await this.#begin("truncate", size, 0);
    if (!this.writable) throw new DiskError("denied", `Cannot truncate "${this.path}": it was opened for reading`);
    this.node.bytes.truncate(size);
    this.disk.touch(this.node);
  }

  async sync(): Promise<void> {
    await this.#begin("sync", 0, 0);
  }

  stat(): FileStat {
    if (this.#closed) throw new DiskError("io", `Cannot look at "${this.path}": it is closed`);
    return statOf(this.node);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #begin(operation: DiskOperation, position: number, length: number): Promise<void> {
    if (this.#closed) return Promise.reject(new DiskError("io", `Cannot ${operation} "${this.path}": it is closed`));
    return this.disk.begin(operation, this.path, position, length);
  }
}
