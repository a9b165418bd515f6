// The one place where names from outside become paths: whatever a torrent calls its files, they stand below the save
// folder, and every file gets a path of its own, on any file system.
import { type Disk, DiskError, type DiskFile } from "../api/mod.ts";
import type { FileEntry } from "../wire/mod.ts";
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
// Most names are like these, and a torrent may have a million folders: they are looked at once instead of seven times.
const PLAIN_NAME = /^[\w-]{1,200}$/;
const PLAIN_TEXT = /^[ -~]*$/;

/** One safe path component. Names that are harmless stay as they are. */
export function safeName(name: string): string {
  if (PLAIN_NAME.test(name)) return WINDOWS_DEVICE.test(name) ? `_${name}` : name;
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
 * has the path of a folder. `reserved` are names in the save folder that are ours: a torrent gets another one.
 */
export function safePaths(
  layout: Pick<Layout, "name" | "multi" | "files">,
  reserved: readonly string[] = [],
): (string | undefined)[] {
  const ours = new Set(reserved.map(foldName));
  const wished = layout.files.map((file) => {
    if (file.pad || (file.attributes.includes("l") && file.length === 0)) return undefined;
    const parts = wishedParts(layout, file).map(safeName);
    if (ours.has(foldName(parts[0]))) parts[0] = `_${parts[0]}`;
    return encoder.encode(parts.join("/")).length <= MAX_PATH_BYTES ? parts : [parts[0], parts.at(-1)!];
  });
  const root = new Folder();
  // Folders first, so that a file yields to them wherever it stands in the list.
  const folders = wished.map((parts) => parts?.slice(0, -1).reduce((at, name) => at.folder(name), root));
  return wished.map((parts, i) => parts && [...parts.slice(0, -1), folders[i]!.place(parts.at(-1)!)].join("/"));
}

/** Whether some file system takes two names for one, or the second is what the first becomes. */
export function sameName(a: string, b: string): boolean {
  return foldName(a) === foldName(b) || a === safeName(b);
}

/** The components of a file's path below the save folder as the torrent has them: anything may stand in them. */
export function wishedParts(layout: Pick<Layout, "name" | "multi">, { path }: Pick<FileEntry, "path">): string[] {
  const below = path.length > 0 ? path : ["_"];
  return layout.multi ? [layout.name, ...below] : [below.at(-1)!];
}

/** One folder of a torrent. A tree, not a list of paths: many deep ones would take far more memory than the torrent. */
class Folder {
  readonly #folders = new Map<string, Folder>();
  readonly #files = new Set<string>();
  /** The number to try next for a name that is taken. */
  readonly #next = new Map<string, number>();

  /** The folder of that name. */
  folder(name: string): Folder {
    const key = foldName(name);
    let folder = this.#folders.get(key);
    if (!folder) this.#folders.set(key, folder = new Folder());
    return folder;
  }

  /** Puts a file here; returns the name that it got. */
  place(name: string): string {
    const key = foldName(name);
    let unique = name;
    let uniqueKey = key;
    let number = this.#next.get(key) ?? 2;
    while (this.#folders.has(uniqueKey) || this.#files.has(uniqueKey)) {
      unique = numbered(name, number++);
      uniqueKey = foldName(unique);
    }
    this.#next.set(key, number);
    this.#files.add(uniqueKey);
    return unique;
  }
}

/** What two names share that some file system takes for one. */
export function foldName(name: string): string {
  if (PLAIN_TEXT.test(name)) return name.toLowerCase();
  return name.replace(/\p{Default_Ignorable_Code_Point}/gu, "").normalize("NFC").toUpperCase().toLowerCase()
    .normalize("NFC");
}

function numbered(name: string, number: number): string {
  const { stem, extension } = splitExtension(name);
  return `${stem} (${number})${extension}`;
}

function splitExtension(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 ? name.slice(dot) : "";
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
  readonly #follow: boolean;
  #real?: string;

  /** @param follow what symlinks lead to counts as standing here: for reading alone */
  constructor(disk: Disk, path: string, follow = false) {
    this.#disk = disk;
    this.#follow = follow;
    this.path = path.length > 1 ? path.replace(/\/+$/, "") : path;
  }

  /** What leads from here to `path`, a whole path; undefined when it stands elsewhere. */
  relative(path: string): string | undefined {
    return path.startsWith(`${this.path}/`) ? path.slice(this.path.length + 1) : undefined;
  }

  /** The name in this folder that `path`, a whole path, begins with; none when it stands elsewhere. */
  nameOf(path: string): string[] {
    return this.relative(path)?.split("/", 1) ?? [];
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
    const stat = await this.#disk.lstat(path);
    const folder = stat ? parent(path) : await this.#deepestFolder(safePath.split("/").slice(0, -1));
    if (folder.length > this.path.length) await this.#expectInside(folder);
    if (!stat) return false;
    if (stat.kind === "file") return true;
    const remedy = stat.kind === "symlink" ? "move it away, or seed with --follow-links" : "move it away";
    throw new DiskError("denied", `Cannot use "${path}": it is a ${stat.kind}; ${remedy}`);
  }

  /**
   * Opens a file; with `write` it and its folders are created, with `"new"` only if it isn't there. Throws
   * {@link DiskError} like {@link inspect}.
   */
  async open(safePath: string, write: boolean | "new"): Promise<DiskFile> {
    const path = this.resolve(safePath);
    if (!await this.inspect(safePath) && write) {
      await this.#disk.makeDirectory(parent(path));
      await this.#expectInside(parent(path));
    }
    return await this.#disk.open(path, { write: write !== false, create: write });
  }

  /** The deepest folder that is there, by halves: a torrent may have thousands of files below hundreds of folders. */
  async #deepestFolder(names: readonly string[]): Promise<string> {
    const at = (depth: number): string => [this.path, ...names.slice(0, depth)].join("/");
    let low = 0;
    let high = names.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (await this.#disk.lstat(at(middle))) low = middle;
      else high = middle - 1;
    }
    return at(low);
  }

  async #expectInside(folder: string): Promise<void> {
    if (this.#follow) return;
    this.#real ??= await this.#disk.realPath(this.path);
    const real = await this.#disk.realPath(folder);
    const root = this.#real.endsWith("/") ? this.#real : this.#real + "/";
    if (real !== this.#real && !real.startsWith(root)) {
      throw new DiskError("denied", `Cannot use "${folder}": it leads out of "${this.path}"; remove the symlink`);
    }
  }
}

/** A disk that shows what symlinks lead to in their place. */
export function followingDisk(disk: Disk): Disk {
  return new Proxy(disk, {
    get(target, key) {
      const value = Reflect.get(target, key === "lstat" ? "stat" : key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The folder that a path stands in. */
export function parent(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 1));
}
