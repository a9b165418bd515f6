import * as fs from "node:fs";
import { DiskError, type DiskFile, type FileStat } from "../../api/host.ts";
import { diskError } from "./disk_error.ts";

// Until some release after 2.4, node:fs seeks and then reads or writes, in two steps: calls on one file must take turns.
const [major, minor] = Deno.version.deno.split(".").map(Number);
const TAKES_TURNS = major < 2 || (major === 2 && minor < 9);

/** An open file, by positional reads and writes on a descriptor. */
export class DenoFile implements DiskFile {
  readonly #path: string;
  readonly #fd: number;
  #busy = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const from = filled;
      const length = await this.#call<number>(
        "read",
        (done) => fs.read(this.#fd, into, from, into.length - from, position + from, done),
      );
      if (length === 0) break;
      filled += length;
    }
    return filled;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const from = written;
      written += await this.#call<number>(
        "write",
        (done) => fs.write(this.#fd, bytes, from, bytes.length - from, position + from, done),
      );
    }
  }

  async truncate(size: number): Promise<void> {
    await this.#call<void>("truncate", (done) => fs.ftruncate(this.#fd, size, done));
  }

  async sync(): Promise<void> {
    await this.#call<void>("sync", (done) => fs.fsync(this.#fd, done));
  }

  async stat(): Promise<FileStat> {
    return fileStat(await this.#call<fs.Stats>("stat", (done) => fs.fstat(this.#fd, done)));
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  /** Waits for what still runs: its descriptor number may mean another file as soon as it is closed. */
  async #close(): Promise<void> {
    if (this.#busy > 0) await new Promise<void>((resolve) => this.#idle = resolve);
    await new Promise<void>((resolve, reject) =>
      fs.close(this.#fd, (error) => error ? reject(diskError(error, "close", this.#path)) : resolve())
    );
  }

  #call<T>(verb: string, start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
    if (this.#closed) return Promise.reject(new DiskError("io", `Cannot ${verb} "${this.#path}": it is closed`));
    this.#busy++;
    const run = () =>
      new Promise<T>((resolve, reject) =>
        start((error, value) => {
          if (--this.#busy === 0) this.#idle?.();
          if (error) reject(diskError(error, verb, this.#path));
          else resolve(value as T);
        })
      );
    if (!TAKES_TURNS) return run();
    const turn = this.#turn.then(run, run);
    this.#turn = turn;
    return turn;
  }
}

/** What node:fs tells about a path, as ours. */
export function fileStat(stats: fs.Stats): FileStat {
  const kind = stats.isFile()
    ? "file"
    : stats.isDirectory()
    ? "directory"
    : stats.isSymbolicLink()
    ? "symlink"
    : "other";
  return { kind, size: stats.size, modified: stats.mtimeMs };
}
