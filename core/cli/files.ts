/** The files below a path, in the order that a torrent has them. @module */
import { CommandError, type Disk } from "../api/mod.ts";
import { utf8Encode } from "../wire/mod.ts";
import { usageError } from "./environment.ts";
import { baseName } from "../config/mod.ts";

/** A file to go into a torrent. */
export interface ListedFile {
  /** Its path's parts below the torrent's name. */
  readonly path: readonly string[];
  /** Where it is on disk. */
  readonly file: string;
  /** Bytes. */
  readonly length: number;
}

/** What was found. */
export interface Listing {
  readonly files: readonly ListedFile[];
  /** Whether the path was a folder. */
  readonly multi: boolean;
  readonly skipped: readonly { readonly path: string; readonly what: string }[];
}

/** Deeper folders are refused, as bencode nests no deeper and a loop of mounts must end. */
const MAX_DEPTH = 100;

/**
 * Lists the files below `root`, ordered by the bytes of their names, so that the same folder gives the same torrent
 * everywhere. `except` (the torrent that is being written) and the state folder `.weft` are left out.
 *
 * @throws {ConfigError} when there is nothing at `root`
 * @throws {CommandError} when a name can't be read: what is there is never left out in silence
 */
export async function collectFiles(disk: Disk, root: string, except?: string): Promise<Listing> {
  const at = await disk.stat(root);
  if (!at) throw usageError(`There is no file or folder "${root}"`);
  if (at.kind === "file") {
    return { files: [{ path: [baseName(root)], file: root, length: at.size }], multi: false, skipped: [] };
  }
  if (at.kind !== "directory") throw usageError(`"${root}" is neither a file nor a folder`);

  const files: ListedFile[] = [];
  const skipped: { path: string; what: string }[] = [];
  const visit = async (folder: string, path: readonly string[]): Promise<void> => {
    if (path.length > MAX_DEPTH) throw usageError(`"${folder}" is nested deeper than ${MAX_DEPTH} folders`);
    const names = [...await disk.list(folder)].sort(byBytes);
    for (const name of names) {
      const file = `${folder}/${name}`;
      const stat = await disk.lstat(file);
      if (!stat) {
        // Names come as text, in which what isn't UTF-8 has become U+FFFD.
        const why = name.includes("\ufffd") ? "its name isn't UTF-8; rename it" : "it is gone; try again";
        throw new CommandError(`Cannot read "${file}": ${why}`);
      }
      const below = [...path, name];
      if (file === except || (path.length === 0 && name === ".weft")) skipped.push({ path: file, what: "Weft's own" });
      else if (stat.kind === "directory") await visit(file, below);
      else if (stat.kind === "file") files.push({ path: below, file, length: stat.size });
      else skipped.push({ path: file, what: stat.kind === "symlink" ? "the symlink" : "the special file" });
    }
  };
  await visit(root, []);
  return { files, multi: true, skipped };
}

function byBytes(a: string, b: string): number {
  const [left, right] = [utf8Encode(a), utf8Encode(b)];
  const shorter = Math.min(left.length, right.length);
  for (let i = 0; i < shorter; i++) if (left[i] !== right[i]) return left[i] - right[i];
  return left.length - right.length;
}
