// Deletes what a torrent put on disk, and nothing else.
import type { Disk } from "../api/mod.ts";
import type { Holder } from "./ownership.ts";
import { parent, SaveFolder } from "./paths.ts";

/**
 * Deletes `files`, whole paths of a torrent's own files, its part file, and the folders that are empty then. Nothing
 * outside its save folder goes, whatever stands in the way.
 */
export async function deleteFiles(
  disk: Disk,
  { path, partFile }: Pick<Holder, "path" | "partFile">,
  files: Iterable<string>,
): Promise<void> {
  const folder = new SaveFolder(disk, path);
  const folders = new Set<string>();
  for (const file of files) {
    if (await folder.inspect(folder.relative(file)!)) await disk.remove(file);
    for (let at = parent(file); at.length > folder.path.length; at = parent(at)) folders.add(at);
  }
  if (await disk.lstat(partFile)) await disk.remove(partFile);
  for (const each of [...folders].sort((a, b) => b.length - a.length)) {
    const stat = await disk.lstat(each);
    if (stat?.kind === "directory" && (await disk.list(each)).length === 0) await disk.remove(each);
  }
}
