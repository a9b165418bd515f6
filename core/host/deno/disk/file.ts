import type * as fs from "node:fs";
import { DiskError, type DiskFile, type FileStat } from "../../../api/mod.ts";
import { diskError } from "./error.ts";

// A write into the page cache takes a tenth of this for 256 KiB (ms): past it, the disk itself is waited for.
const SLOW_WRITE = 4;
// After a slow write the next ones go to a thread, for so long (ms); doubled each time it turns out slow again.
const SLOW_TIME = 10_000;
const LONGEST_SLOW_TIME = 640_000;

/** Whether writing to disk is quick enough to do it on the spot: as one thread's work it costs a third less CPU. */
class WriteSpeed {
  #slowUntil = 0;
  #slowTime = SLOW_TIME;

  quick(now: number): boolean {
    return now >= this.#slowUntil;
  }

  took(milliseconds: number, now: number): void {
    if (milliseconds < SLOW_WRITE) return;
    this.#slowUntil = now + this.#slowTime;
    this.#slowTime = Math.min(2 * this.#slowTime, LONGEST_SLOW_TIME);
  }
}

const writeSpeed = new WriteSpeed();

/**
 * An open file. One operation at a time: Deno's files seek and then read or write, on a thread of their own, but for
 * writes while those are quick. (The asynchronous calls of `node:fs` hold up the main thread, in Deno 2.9.)
 */
export class DenoFile implements DiskFile {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed: Promise<void> | undefined;

  constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#turn("read", async (file) => {
      file.seekSync(position, Deno.SeekMode.Start);
      let filled = 0;
      while (filled < into.length) {
        const length = await file.read(filled === 0 ? into : into.subarray(filled));
        if (length === null) break;
        filled += length;
      }
      return filled;
    });
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.#waiting === 0 && !this.#closed && writeSpeed.quick(performance.now())) {
      return this.#writeNow(bytes, position);
    }
    return this.#turn("write", async (file) => {
      file.seekSync(position, Deno.SeekMode.Start);
      let written = await file.write(bytes);
      while (written < bytes.length) written += await file.write(bytes.subarray(written));
    });
  }

  truncate(size: number): Promise<void> {
    return this.#turn("truncate", (file) => file.truncate(size));
  }

  sync(): Promise<void> {
    return this.#turn("sync", (file) => file.sync());
  }

  stat(): FileStat {
    if (this.#closed) throw new DiskError("io", `Cannot look at "${this.#path}": it is closed`);
    try {
      const { isFile, isDirectory, isSymlink, size, mtime, uid, mode, dev, ino, nlink } = this.#file.statSync();
      return {
        kind: isFile ? "file" : isDirectory ? "directory" : isSymlink ? "symlink" : "other",
        size,
        modified: mtime?.getTime() ?? 0,
        owner: uid ?? 0,
        access: (mode ?? 0) & 0o777,
        links: nlink ?? 1,
        ...(ino ? { id: `${dev}:${ino}` } : {}),
      };
    } catch (error) {
      throw diskError(error, "look at", this.#path);
    }
  }

  /** Waits for what still runs. */
  close(): Promise<void> {
    return this.#closed ??= this.#last.then(() => this.#file.close());
  }

  // deno-lint-ignore require-await -- what Deno throws must reject
  async #writeNow(bytes: Uint8Array, position: number): Promise<void> {
    const start = performance.now();
    try {
      this.#file.seekSync(position, Deno.SeekMode.Start);
      let written = this.#file.writeSync(bytes);
      while (written < bytes.length) written += this.#file.writeSync(bytes.subarray(written));
    } catch (error) {
      throw diskError(error, "write", this.#path);
    }
    const end = performance.now();
    writeSpeed.took(end - start, end);
  }

  #turn<T>(verb: string, run: (file: Deno.FsFile) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new DiskError("io", `Cannot ${verb} "${this.#path}": it is closed`));
    this.#waiting++;
    const result = this.#last.then(() => run(this.#file)).catch((error) => {
      throw diskError(error, verb, this.#path);
    }).finally(() => this.#waiting--);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** What node:fs tells about a path, as ours, with the precision that Deno has too. */
export function fileStat(stats: fs.Stats): FileStat {
  const kind = stats.isFile()
    ? "file"
    : stats.isDirectory()
    ? "directory"
    : stats.isSymbolicLink()
    ? "symlink"
    : "other";
  // Windows has no number for some files.
  const id = stats.ino ? { id: `${stats.dev}:${stats.ino}` } : {};
  return {
    kind,
    size: stats.size,
    modified: Math.trunc(stats.mtimeMs),
    owner: stats.uid,
    access: stats.mode & 0o777,
    links: stats.nlink,
    ...id,
  };
}
