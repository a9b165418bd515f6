// The one place where names from outside become paths: whatever a torrent calls its files, they stand below the save
// folder, and every file gets a path of its own, on any file system.
import { type Disk, DiskError, type DiskFile } from "../api/mod.ts";
import type { Layout } from "./types.ts";

// Every common file system takes 255 bytes; some room is left for " (2)" and the like.
const MAX_NAME_BYTES = 240;
// Paths end at 4,096 bytes on Linux; so that a deep tree can't make a file that nobody can open, longer ones are folded.
const MAX_PATH_BYTES = 2048;
// An extension longer than this isn't one, so cutting a name needn't keep it.
const MAX_EXTENSION_BYTES = 16;

const encoder = new TextEncoder();

// Separators, control characters, and those that make a name show as another: bidi marks and line separators.
// deno-lint-ignore no-control-regex
const UNSAFE = /[/\\\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g;
const WINDOWS_DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)/i;
const DRIVE = /^([a-z]):/i;

/** One safe path component. Names that are harmless stay as they are. */
export function safeName(name: string): string {
  let safe = name.toWellFormed().replace(UNSAFE, "_").replace(DRIVE, "$1_");
  safe = safe.replace(/[. ]+$/, (tail) => "_".repeat(Math.min(tail.length, 8)));
  if (WINDOWS_DEVICE.test(safe)) safe = "_" + safe;
  return safe === "" ? "_" : shorten(safe);
}

/**
 * For each file its path below the save folder, with "/" between components; undefined for what is never on disk: pad
 * files, and symlinks (BEP 47), which are neither created nor followed.
 *
 * No two paths are the same, also where case, Unicode normalization or invisible characters don't count, and no file
 * has the path of a folder. `taken` are paths that no file may have.
 */
export function safePaths(
  layout: Pick<Layout, "name" | "multi" | "files">,
  taken: readonly string[] = [],
): (string | undefined)[] {
  const wished = layout.files.map((file) => {
    if (file.pad || (file.attributes.includes("l") && file.length === 0)) return undefined;
    const below = file.path.length > 0 ? file.path : ["_"];
    const parts = (layout.multi ? [layout.name, ...below] : [below.at(-1)!]).map(safeName);
    return encoder.encode(parts.join("/")).length <= MAX_PATH_BYTES ? parts : [parts[0], parts.at(-1)!];
  });
  const used = new Set(taken.map(foldName));
  for (const parts of wished) {
    for (let depth = 1; depth < (parts?.length ?? 0); depth++) used.add(foldName(parts!.slice(0, depth).join("/")));
  }
  const next = new Map<string, number>();
  return wished.map((parts) => {
    if (!parts) return undefined;
    const path = parts.join("/");
    const key = foldName(path);
    let unique = path;
    let uniqueKey = key;
    let number = next.get(key) ?? 2;
    while (used.has(uniqueKey)) {
      unique = numbered(path, number++);
      uniqueKey = foldName(unique);
    }
    next.set(key, number);
    used.add(uniqueKey);
    return unique;
  });
}

/** What two names share that some file system takes for one. */
function foldName(path: string): string {
  return path.replace(/\p{Default_Ignorable_Code_Point}/gu, "").normalize("NFC").toUpperCase().toLowerCase()
    .normalize("NFC");
}

function numbered(path: string, number: number): string {
  const { stem, extension } = splitExtension(path);
  return `${stem} (${number})${extension}`;
}

function splitExtension(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  const extension = dot > name.lastIndexOf("/") + 1 ? name.slice(dot) : "";
  if (encoder.encode(extension).length > MAX_EXTENSION_BYTES) return { stem: name, extension: "" };
  return { stem: name.slice(0, name.length - extension.length), extension };
}

function shorten(name: string): string {
  if (encoder.encode(name).length <= MAX_NAME_BYTES) return name;
  const { stem, extension } = splitExtension(name);
  const room = MAX_NAME_BYTES - encoder.encode(extension).length;
  const cut = new Uint8Array(room);
  const { read } = encoder.encodeInto(stem, cut);
  return stem.slice(0, read).replace(/[. ]+$/, "_") + extension;
}

/** Opens files below one save folder, and nothing outside it, whatever stands there by now. */
export class SaveFolder {
  readonly #disk: Disk;
  /** The folder, as the user named it. */
  readonly path: string;
  #real?: string;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.path = path.length > 1 ? path.replace(/\/+$/, "") : path;
  }

  /** The whole path of a safe path. */
  resolve(safePath: string): string {
    return `${this.path}/${safePath}`;
  }

  /**
   * Makes sure that the path leads to a file below the save folder, or to nothing yet; true when the file is there.
   *
   * @throws {DiskError} `denied` when a symlink or something other than a file stands in the way
   */
  async inspect(safePath: string): Promise<boolean> {
    const path = this.resolve(safePath);
    for (let folder = parent(path); folder.length > this.path.length; folder = parent(folder)) {
      if (!await this.#disk.lstat(folder)) continue;
      await this.#expectInside(folder);
      break;
    }
    const stat = await this.#disk.lstat(path);
    if (!stat) return false;
    if (stat.kind === "file") return true;
    throw new DiskError("denied", `Cannot use "${path}": it is a ${stat.kind}; move it away`);
  }

  /** Opens a file; with `write` it and its folders are created. Throws {@link DiskError} like {@link inspect}. */
  async open(safePath: string, write: boolean): Promise<DiskFile> {
    const path = this.resolve(safePath);
    const exists = await this.inspect(safePath);
    if (!exists && write) {
      await this.#disk.makeDirectory(parent(path));
      await this.#expectInside(parent(path));
    }
    return await this.#disk.open(path, { write, create: write });
  }

  async #expectInside(folder: string): Promise<void> {
    this.#real ??= await this.#disk.realPath(this.path);
    const real = await this.#disk.realPath(folder);
    const root = this.#real.endsWith("/") ? this.#real : this.#real + "/";
    if (real !== this.#real && !real.startsWith(root)) {
      throw new DiskError("denied", `Cannot use "${folder}": it leads out of "${this.path}"; remove the symlink`);
    }
  }
}

/** The folder that a path stands in. */
export function parent(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 1));
}
