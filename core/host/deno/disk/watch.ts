import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DiskError } from "../../../api/mod.ts";
import { diskError } from "./error.ts";

// How often to begin again where folders come and go just then.
const MAX_TRIES = 10;

/**
 * Tells when files may have changed. Their folders are watched, not they themselves: editors replace a file by another
 * of its name, and a file that isn't there yet can only come in its folder. Where that is missing too, the nearest
 * folder above it that exists is watched until it comes.
 *
 * @throws {DiskError} when a folder can't be watched
 */
export class DiskWatch implements Disposable {
  readonly #paths: readonly string[];
  readonly #changed: () => void;
  #watcher: Deno.FsWatcher | undefined;
  #disposed = false;

  constructor(paths: readonly string[], changed: () => void) {
    this.#paths = paths;
    this.#changed = changed;
    if (paths.length > 0) this.#start();
  }

  #start(): void {
    const targets = this.#targets();
    const watcher = this.#watcher = watchFolders(new Set([...targets].map(dirname)));
    void this.#listen(watcher, targets);
  }

  /** Where a name is a symlink, it may be pointed elsewhere, or what it points to may change. */
  #targets(): Set<string> {
    return new Set(this.#paths.flatMap((path) => [path, realPath(path) ?? path]));
  }

  async #listen(watcher: Deno.FsWatcher, targets: ReadonlySet<string>): Promise<void> {
    try {
      for await (const { kind, paths } of watcher) {
        if (kind === "access") continue; // reading it is no change: who reads on a change would never end
        const isTarget = paths.some((path) => targets.has(path));
        const isAbove = paths.some((path) => [...targets].some((target) => target.startsWith(`${path}/`)));
        if (!isTarget && !isAbove) continue;
        // A folder on the way came or went, or a link leads elsewhere: from now on others are the ones to watch.
        const stale = isAbove || this.#targets().symmetricDifference(targets).size > 0;
        if (stale) {
          watcher.close();
          this.#watcher = undefined;
          this.#start();
        }
        this.#changed();
        if (stale) return;
      }
    } catch {
      if (!this.#disposed) this.#changed(); // who reads the files now learns what became of them
    }
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#watcher?.close();
  }
}

/** Watches the folders, or for each that is missing the nearest one above it. */
function watchFolders(wanted: ReadonlySet<string>): Deno.FsWatcher {
  for (let tries = 1;; tries++) {
    const folders = nearest(wanted);
    const before = identity(folders);
    let watcher: Deno.FsWatcher;
    try {
      watcher = Deno.watchFs([...folders], { recursive: false });
    } catch (error) {
      if (tries < MAX_TRIES) continue; // one may have gone meanwhile
      throw diskError(error, "watch", [...folders].join('", "'));
    }
    // What came or went before it was watched is not told of.
    if (tries === MAX_TRIES || identity(nearest(wanted)) === before) return watcher;
    watcher.close();
  }
}

/** The folders that there are: of one that is missing, the nearest above it. */
function nearest(wanted: ReadonlySet<string>): ReadonlySet<string> {
  const folders = new Set<string>();
  for (let folder of wanted) {
    if (!mayRead(folder)) {
      throw new DiskError("denied", `Cannot watch "${folder}": start Weft with --allow-read for that folder`);
    }
    while (!realPath(folder) && dirname(folder) !== folder) folder = dirname(folder);
    folders.add(folder);
  }
  return folders;
}

/** Which folders these are: one of the same name, or even of the same inode, may be another. */
function identity(folders: ReadonlySet<string>): string {
  return [...folders].map((folder) => {
    const { dev, ino, birthtimeMs } = mayRead(folder) && statSync(folder, { throwIfNoEntry: false }) || {};
    return `${folder} ${dev} ${ino} ${birthtimeMs}`;
  }).join("\n");
}

/** Deno would ask, and stop the whole process until somebody answers. */
function mayRead(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

function realPath(path: string): string | undefined {
  try {
    return mayRead(path) ? realpathSync(path) : undefined;
  } catch {
    return undefined;
  }
}
