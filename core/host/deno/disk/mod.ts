import * as fs from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { type Disk, DiskError, type DiskFile, type FileRange, type FileStat } from "../../../api/mod.ts";
import { diskError } from "./error.ts";
import { DiskWatch } from "./watch.ts";
import { DenoFile, fileStat } from "./file.ts";
import type { HostWorkers } from "./workers.ts";

/** The machine's files. */
export class DenoDisk implements Disk {
  readonly #workers: HostWorkers;

  constructor(workers: HostWorkers) {
    this.#workers = workers;
  }

  async open(
    path: string,
    { write, create = false }: { write: boolean; create?: boolean | "new" },
  ): Promise<DiskFile> {
    try {
      const options = { read: true, write, create: create !== false, createNew: create === "new" };
      return new DenoFile(path, await Deno.open(path, options));
    } catch (error) {
      throw diskError(error, "open", path);
    }
  }

  lstat(path: string): Promise<FileStat | undefined> {
    return named("look at", path, async () => fileStat(await fs.lstat(path))).catch(undefinedIfMissing);
  }

  stat(path: string): Promise<FileStat | undefined> {
    return named("look at", path, async () => fileStat(await fs.stat(path))).catch(undefinedIfMissing);
  }

  realPath(path: string): Promise<string> {
    return named("resolve", path, () => fs.realpath(path));
  }

  makeDirectory(path: string, options: { private?: boolean } = {}): Promise<void> {
    return named("make directory", path, async () => {
      if (!options.private) return void await fs.mkdir(path, { recursive: true });
      await fs.mkdir(dirname(path), { recursive: true });
      try {
        await fs.mkdir(path, { mode: 0o700 });
      } catch (error) {
        if ((error as { code?: string }).code !== "EEXIST" || !(await fs.stat(path)).isDirectory()) throw error;
      }
    });
  }

  /** Deno tells it only to who may ask the system for it, so a folder is made and looked at. */
  async user(): Promise<number | undefined> {
    try {
      const folder = await fs.mkdtemp("/tmp/weft-");
      const { uid } = await fs.lstat(folder).finally(() => fs.rmdir(folder));
      return uid;
    } catch {
      return undefined;
    }
  }

  list(path: string): Promise<readonly string[]> {
    return named("list", path, () => fs.readdir(path));
  }

  remove(path: string, { recursive = false }: { recursive?: boolean } = {}): Promise<void> {
    return named("remove", path, async () => {
      if (!(await fs.lstat(path)).isDirectory()) await fs.unlink(path);
      else if (recursive) await fs.rm(path, { recursive });
      else await fs.rmdir(path);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return named("rename", from, () => fs.rename(from, to));
  }

  async readFile(path: string, { maxBytes = Infinity }: { maxBytes?: number } = {}): Promise<Uint8Array> {
    const file = await this.open(path, { write: false });
    try {
      const { size } = file.stat();
      if (size > maxBytes) throw new DiskError("io", `Cannot read "${path}": it has more than ${maxBytes} bytes`);
      const bytes = new Uint8Array(size);
      return bytes.subarray(0, await file.read(bytes, 0));
    } finally {
      await file.close();
    }
  }

  async writeFile(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
    const file = await this.open(temporary, { write: true, create: true });
    try {
      try {
        await file.write(bytes, 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.rename(temporary, path);
    } catch (error) {
      await this.remove(temporary).catch(() => {});
      throw error;
    }
  }

  watch(paths: readonly string[], changed: () => void): Disposable {
    return new DiskWatch(paths, changed);
  }

  digest(
    algorithm: "sha1" | "sha256",
    ranges: readonly (FileRange | { readonly path?: undefined; readonly length: number })[],
  ): Promise<Uint8Array | undefined> {
    return this.#workers.digest(algorithm, ranges);
  }
}

async function named<T>(verb: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, verb, path);
  }
}

/** A file that stands where a directory should be means that there is nothing below it. */
function undefinedIfMissing(error: DiskError): undefined {
  if (error.fault === "notFound" || (error.cause as { code?: string })?.code === "ENOTDIR") return undefined;
  throw error;
}
