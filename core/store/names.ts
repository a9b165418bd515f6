// Under which names a torrent's files stand on the disk. What is there already keeps the name that it has: as the torrent
// writes it, even where Weft would have chosen a safer one, or in the other Unicode form (macOS and some archivers write
// e and an accent where others write é). What is new gets its safe name, in the folders that are there.
import type { Disk, FileStat } from "../api/mod.ts";
import { foldName, safePaths, type SaveFolder, wishedParts } from "./paths.ts";
import type { Layout } from "./types.ts";

/** {@link safePaths}, but for files and folders that stand in the save folder under another name of theirs. */
export async function namesOnDisk(
  disk: Disk,
  folder: SaveFolder,
  layout: Pick<Layout, "name" | "multi" | "files">,
  reserved: readonly string[] = [],
): Promise<(string | undefined)[]> {
  const safe = safePaths(layout, reserved);
  const paths = [...safe];
  const open: number[] = [];
  const parts = layout.files.map((file) => wishedParts(layout, file));
  safe.forEach((path, i) => path !== undefined && otherNames(parts[i], path) && open.push(i));
  if (open.length === 0) return paths;
  const names = new Names(disk, folder, reserved);
  const isOpen = new Set(open);
  safe.forEach((path, i) => path !== undefined && !isOpen.has(i) && names.take(path));
  // Of two files that differ in form alone, each first gets the one that is exactly its own.
  for (const forms of [false, true]) {
    for (const i of open) {
      const found = isOpen.has(i) ? await names.find(parts[i], safe[i]!.split("/"), forms) : undefined;
      if (found === undefined) continue;
      paths[i] = found;
      isOpen.delete(i);
    }
  }
  for (const i of isOpen) paths[i] = await names.place(parts[i], safe[i]!.split("/"));
  return paths;
}

/** Whether the file may stand under another name than its safe one. */
function otherNames(parts: readonly string[], safe: string): boolean {
  const exact = parts.join("/");
  return exact !== safe || exact.normalize("NFC") !== exact || exact.normalize("NFD") !== exact;
}

class Names {
  readonly #disk: Disk;
  readonly #folder: SaveFolder;
  readonly #reserved: ReadonlySet<string>;
  readonly #stats = new Map<string, FileStat | undefined>();
  /** Paths that are given to a file, by what they share with those that some disk takes for the same. */
  readonly #taken = new Map<string, string[]>();

  constructor(disk: Disk, folder: SaveFolder, reserved: readonly string[]) {
    this.#disk = disk;
    this.#folder = folder;
    this.#reserved = new Set(reserved.map(foldName));
  }

  take(path: string): void {
    const key = foldName(path);
    this.#taken.set(key, [...this.#taken.get(key) ?? [], path]);
  }

  /** The file under one of its names, unless that is another's; with `forms` also in the other Unicode forms. */
  async find(parts: readonly string[], safe: readonly string[], forms: boolean): Promise<string | undefined> {
    const folder = await this.#enter(parts, safe);
    if (folder.depth < parts.length - 1) return undefined;
    for (const name of this.#candidates(parts.at(-1)!, safe.at(-1)!, folder.depth, forms)) {
      const path = [...folder.path, name].join("/");
      if (await this.#stat(path) === undefined || await this.#isTaken(path)) continue;
      this.take(path);
      return path;
    }
    return undefined;
  }

  /** Where the file goes that isn't there: under its safe name, in the folders that are. */
  async place(parts: readonly string[], safe: readonly string[]): Promise<string> {
    const folder = await this.#enter(parts, safe);
    const path = [...folder.path, ...safe.slice(folder.depth)].join("/");
    const free = !await this.#isTaken(path);
    const chosen = free ? path : safe.join("/");
    this.take(chosen);
    return chosen;
  }

  /** The folders of a file that are there, under their names on the disk. */
  async #enter(
    parts: readonly string[],
    safe: readonly string[],
  ): Promise<{ readonly path: readonly string[]; readonly depth: number }> {
    const path: string[] = [];
    // A tree too deep to open is folded: its folders are not the torrent's.
    if (safe.length !== parts.length) return { path, depth: 0 };
    for (let depth = 0; depth < parts.length - 1; depth++) {
      let found: string | undefined;
      for (const name of this.#candidates(parts[depth], safe[depth], depth, true)) {
        const stat = await this.#stat([...path, name].join("/"));
        if (stat !== undefined && stat.kind !== "file") found ??= name;
      }
      if (found === undefined) return { path, depth };
      path.push(found);
    }
    return { path, depth: parts.length - 1 };
  }

  #candidates(exact: string, safe: string, depth: number, forms: boolean): string[] {
    const names = forms ? [exact, exact.normalize("NFC"), exact.normalize("NFD"), safe] : [exact, safe];
    const ours = (name: string) => depth === 0 && this.#reserved.has(foldName(name));
    return [...new Set(names)].filter((name) => name === safe || (leadsBelow(name) && !ours(name)));
  }

  /** Whether the file at a path is given to another entry of the torrent, perhaps under a name that means the same here. */
  async #isTaken(path: string): Promise<boolean> {
    const rivals = this.#taken.get(foldName(path)) ?? [];
    if (rivals.includes(path)) return true;
    const id = (await this.#stat(path))?.id;
    for (const rival of rivals) if (id !== undefined && (await this.#stat(rival))?.id === id) return true;
    return false;
  }

  async #stat(path: string): Promise<FileStat | undefined> {
    if (!this.#stats.has(path)) {
      // A name that the disk can't even look for isn't on it.
      this.#stats.set(path, await this.#disk.lstat(this.#folder.resolve(path)).catch(() => undefined));
    }
    return this.#stats.get(path);
  }
}

/** One name that stays where it is: no separator of any system, and no way up. */
function leadsBelow(name: string): boolean {
  // deno-lint-ignore no-control-regex
  return name !== "" && name !== "." && name !== ".." && !/[/\\\u0000]/.test(name) && name.isWellFormed();
}
