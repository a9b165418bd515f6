// Which files on the disk are which torrent's. The records know, also of torrents that rest: a file has a stamp when the
// torrent wrote it, or found a piece of it there.
import type { Disk } from "../api/mod.ts";
import { namesOnDisk } from "./names.ts";
import { foldName, followingDisk, safeName, SaveFolder } from "./paths.ts";
import type { PieceRecords } from "./records.ts";
import type { Layout } from "./types.ts";

/** A torrent whose files stand somewhere. */
export interface Holder {
  readonly layout: Layout;
  /** Its save folder. */
  readonly path: string;
  readonly partFile: string;
  /** Its files may stand behind symlinks. */
  readonly followLinks?: boolean;
  readonly records: Pick<PieceRecords, "load">;
}

/** Whole paths of the files that are the torrent's own and stand at their own place, not in the part file. */
export async function ownFiles(
  disk: Disk,
  { layout, path, followLinks, partFile, records }: Holder,
): Promise<string[]> {
  const folder = new SaveFolder(disk, path);
  const paths = await namesOnDisk(followLinks ? followingDisk(disk) : disk, folder, layout, folder.nameOf(partFile));
  const { stamps } = await records.load(layout.pieceCount);
  return stamps.flatMap(({ file, home }) => home === "file" && paths[file] ? [folder.resolve(paths[file])] : []);
}

/**
 * Those of `paths`, the files of `holder`, that are others' own too. Names that differ in case or Unicode form are one
 * file where the disk says so.
 */
export async function heldByOthers(
  disk: Disk,
  holder: Holder,
  paths: readonly string[],
  others: Iterable<Holder>,
): Promise<Set<string>> {
  const held = new Set<string>();
  if (paths.length === 0) return held;
  const places = new Places(disk);
  const place = await places.of(holder);
  for (const other of others) {
    const theirs = await places.of(other);
    if (!theirs.root.startsWith(`${place.root}/`) && !`${place.root}/`.startsWith(`${theirs.root}/`)) continue;
    const files = new Map<string, string[]>();
    for (const path of await ownFiles(disk, other)) {
      const key = theirs.key(path);
      files.set(key, [...files.get(key) ?? [], path]);
    }
    for (const path of paths) {
      for (const candidate of files.get(place.key(path)) ?? []) {
        if (candidate === path || await isSame(disk, candidate, path)) held.add(path);
      }
    }
  }
  return held;
}

async function isSame(disk: Disk, a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([disk.lstat(a), disk.lstat(b)]);
  return one?.id !== undefined && one.id === other?.id;
}

/** Where torrents stand, in a form that is the same for all names that some disk takes for one. */
class Places {
  readonly #disk: Disk;
  readonly #real = new Map<string, string>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async of({ layout, path }: Holder): Promise<{ readonly root: string; key(path: string): string }> {
    let real = this.#real.get(path);
    if (real === undefined) {
      real = foldName(await this.#disk.realPath(path).catch(() => path)).replace(/\/+$/, "");
      this.#real.set(path, real);
    }
    const name = layout.multi ? layout.name : layout.files[0].path.at(-1) ?? layout.name;
    return { root: `${real}/${foldName(safeName(name))}`, key: (file) => real + foldName(file.slice(path.length)) };
  }
}
