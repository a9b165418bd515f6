import { fileURLToPath } from "node:url";

/** Weft's own code, as it can be read: from its folder, from a web server, or from within a binary. */
export interface OwnSources {
  /** The folder, as a URL; undefined in a binary, into which no other program can look. */
  readonly root?: string;
  read(path: string): Promise<string>;
  list(): Promise<readonly string[]>;
}

/** The code below `root`, a URL with a slash at its end; `list` names what is in its `folders`. */
export function ownSources(root: string, folders: readonly string[]): OwnSources {
  return {
    root: Deno.build.standalone ? undefined : root,
    async read(path) {
      const url = new URL(path, root);
      // Not through the host's disk: the files of a binary can be read only whole.
      return url.protocol === "file:" ? await Deno.readTextFile(url) : await (await fetch(url)).text();
    },
    async list() {
      const files: string[] = [];
      for (const folder of folders) await listInto(files, fileURLToPath(root), folder);
      return files;
    },
  };
}

async function listInto(files: string[], root: string, folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(root + folder)) {
    if (isDirectory) await listInto(files, root, `${folder}/${name}`);
    else files.push(`${folder}/${name}`);
  }
}
