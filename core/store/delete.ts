// Deletes what a torrent put on disk, and nothing else.
import type { Disk } from "../api/mod.ts";
import { parent, safePaths, SaveFolder } from "./paths.ts";
import type { Layout } from "./types.ts";

/** Deletes a torrent's files below the save folder `path`, its part file, and the folders that are empty then. */
export async function deleteFiles(disk: Disk, layout: Layout, path: string, partFile: string): Promise<void> {
  const folder = new SaveFolder(disk, path);
  const folders = new Set<string>();
  for (const below of safePaths(layout, folder.nameOf(partFile))) {
    if (below === undefined) continue;
    const file = folder.resolve(below);
    if (await folder.inspect(below)) await disk.remove(file);
    for (let at = parent(file); at.length > folder.path.length; at = parent(at)) folders.add(at);
  }
  if (await disk.lstat(partFile)) await disk.remove(partFile);
  for (const each of [...folders].sort((a, b) => b.length - a.length)) {
    const stat = await disk.lstat(each);
    if (stat?.kind === "directory" && (await disk.list(each)).length === 0) await disk.remove(each);
  }
}
