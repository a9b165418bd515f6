import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { diskError } from "./disk_error.ts";

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
    // Where a name is a symlink, it may be repointed or what it points to may change.
    const targets = new Set(this.#paths.flatMap((path) => [path, realPath(path) ?? path]));
    const watcher = this.#watcher = watchFolders(new Set([...targets].map(dirname)));
    void this.#listen(watcher, targets);
  }

  async #listen(watcher: Deno.FsWatcher, targets: ReadonlySet<string>): Promise<void> {
    try {
      for await (const { kind, paths } of watcher) {
        if (kind === "access") continue; // reading it is no change: who reads on a change would never end
        if (paths.some((path) => targets.has(path))) this.#changed();
        // A folder on the way came or went: from now on others are the ones to watch.
        if (paths.some((path) => [...targets].some((target) => target.startsWith(`${path}/`)))) {
          watcher.close();
          this.#start();
          this.#changed();
          return;
        }
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
  const folders = new Set<string>();
  for (let folder of wanted) {
    while (!realPath(folder) && dirname(folder) !== folder) folder = dirname(folder);
    folders.add(folder);
  }
  try {
    return Deno.watchFs([...folders], { recursive: false });
  } catch (error) {
    throw diskError(error, "watch", [...folders].join('", "'));
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
