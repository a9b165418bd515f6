import { DiskError, type FileStat } from "../../api/mod.ts";
import { SparseBytes } from "./sparse_bytes.ts";

/** A file's bytes. They live on while someone has it open, also when its name is gone. */
export interface FileNode {
  readonly kind: "file";
  readonly bytes: SparseBytes;
  modified: number;
  /** 1, or 0 once its name is gone. */
  links: number;
  /** Grows with each write: several may fall on one instant of simulated time. */
  revision: number;
}

interface DirectoryNode {
  readonly kind: "directory";
  readonly entries: Map<string, Node>;
  modified: number;
  readonly access: number;
}

interface LinkNode {
  readonly kind: "symlink";
  readonly target: string;
  modified: number;
}

export type Node = FileNode | DirectoryNode | LinkNode;

/** The user whom everything belongs to. */
export const USER = 1_000;
// Linux gives up on a path after so many symlinks.
const MAX_SYMLINKS = 40;

/** A tree of files in memory, with POSIX paths; relative ones start at the root. All of it is synchronous. */
export class DiskTree {
  readonly #root: DirectoryNode = { kind: "directory", entries: new Map(), modified: 0, access: 0o755 };
  readonly #wall: () => number;
  readonly #watches = new Set<() => void>();

  constructor(wall: () => number) {
    this.#wall = wall;
  }

  /** What stands at `path`; without `follow`, a symlink at its end counts itself. */
  find(path: string, follow = true): Node | undefined {
    return this.#walk(path, follow)?.node;
  }

  realPath(path: string): string {
    const found = this.#walk(path, true);
    if (!found?.node) throw missing("resolve", path);
    return found.path;
  }

  openFile(path: string, create: boolean): FileNode {
    const found = this.#walk(path, true);
    if (found?.node?.kind === "file") return found.node;
    if (found?.node) throw new DiskError("io", `Cannot open "${path}": it is a directory`);
    if (!create || !found) throw missing("open", path);
    const file: FileNode = {
      kind: "file",
      bytes: new SparseBytes(),
      modified: this.#wall(),
      links: 1,
      revision: 0,
    };
    this.#put(found, file);
    return file;
  }

  makeDirectory(path: string, isPrivate: boolean): void {
    let at = path.startsWith("/") ? "/" : "";
    const parts = path.split("/").filter(Boolean);
    for (const [i, part] of parts.entries()) {
      at += `${at && at !== "/" ? "/" : ""}${part}`;
      const found = this.#walk(at, true);
      if (found?.node && found.node.kind !== "directory") {
        throw new DiskError("exists", `Cannot make directory "${path}": "${at}" is a file`);
      }
      if (!found) throw missing("make directory", path);
      if (found.node) continue;
      const access = isPrivate && i === parts.length - 1 ? 0o700 : 0o755;
      this.#put(found, { kind: "directory", entries: new Map(), modified: this.#wall(), access });
    }
  }

  symlink(path: string, target: string): void {
    const found = this.#walk(path, false);
    if (!found) throw missing("link", path);
    if (found.node) throw new DiskError("exists", `Cannot link "${path}": it exists`);
    this.#put(found, { kind: "symlink", target, modified: this.#wall() });
  }

  list(path: string): string[] {
    const node = this.find(path);
    if (!node) throw missing("list", path);
    if (node.kind !== "directory") throw new DiskError("io", `Cannot list "${path}": it is no directory`);
    return [...node.entries.keys()].sort();
  }

  remove(path: string, recursive: boolean): void {
    const found = this.#walk(path, false);
    if (!found?.node) throw missing("remove", path);
    if (found.node.kind === "directory" && found.node.entries.size > 0 && !recursive) {
      throw new DiskError("exists", `Cannot remove "${path}": the directory is not empty`);
    }
    found.parent.entries.delete(found.name);
    unlink(found.node);
    this.#tell();
  }

  rename(from: string, to: string): void {
    const source = this.#walk(from, false);
    const target = this.#walk(to, false);
    if (!source?.node || !target) throw missing("rename", from);
    const { node } = source;
    if (target.node === node) return;
    if (
      target.node && target.node.kind === "directory" && (node.kind !== "directory" || target.node.entries.size > 0)
    ) {
      throw new DiskError("exists", `Cannot rename "${from}" to "${to}": the directory is in the way`);
    }
    source.parent.entries.delete(source.name);
    if (target.node) unlink(target.node);
    this.#put(target, node);
  }

  /** Notes that a file was written. */
  touch(node: FileNode): void {
    node.modified = this.#wall();
    node.revision++;
    this.#tell();
  }

  /** Calls `changed` at once when one of the paths leads to something else, or to other bytes, than before. */
  watch(paths: readonly string[], changed: () => void): Disposable & { readonly active: boolean } {
    const look = () => paths.map((path) => this.#lookAt(path));
    let before = look();
    const check = () => {
      const now = look();
      const same = now.every(([node, revision], i) => node === before[i][0] && revision === before[i][1]);
      before = now;
      if (!same) changed();
    };
    this.#watches.add(check);
    const isActive = () => this.#watches.has(check);
    return {
      get active() {
        return isActive();
      },
      [Symbol.dispose]: () => void this.#watches.delete(check),
    };
  }

  #lookAt(path: string): readonly [node: Node | undefined, revision: number] {
    const node = this.find(path);
    return [node, node?.kind === "file" ? node.revision : 0];
  }

  #tell(): void {
    for (const check of this.#watches) check();
  }

  /** Bytes that files hold, holes counted. */
  get used(): number {
    return usedBy(this.#root);
  }

  #put(at: { parent: DirectoryNode; name: string }, node: Node): void {
    at.parent.entries.set(at.name, node);
    at.parent.modified = this.#wall();
    this.#tell();
  }

  /** Undefined when a directory on the way is missing. */
  #walk(path: string, follow: boolean): { parent: DirectoryNode; name: string; node?: Node; path: string } | undefined {
    const left = path.split("/").filter((part) => part !== "" && part !== ".").reverse();
    const trail: { name: string; directory: DirectoryNode }[] = [{ name: "", directory: this.#root }];
    const pathTo = (name: string) => `${trail.map((step) => step.name).join("/")}/${name}`;
    for (let links = 0; left.length > 0;) {
      const name = left.pop()!;
      if (name === "..") {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const parent = trail[trail.length - 1].directory;
      const node = parent.entries.get(name);
      const last = left.length === 0;
      if (node?.kind === "symlink" && (!last || follow)) {
        if (++links > MAX_SYMLINKS) throw new DiskError("io", `Cannot open "${path}": too many symlinks`);
        if (node.target.startsWith("/")) trail.length = 1;
        left.push(...node.target.split("/").filter((part) => part !== "" && part !== ".").reverse());
      } else if (last) {
        return { parent, name, node, path: pathTo(name) };
      } else if (node?.kind === "directory") {
        trail.push({ name, directory: node });
      } else {
        return undefined;
      }
    }
    const { name, directory } = trail[trail.length - 1];
    const parent = trail[trail.length - 2]?.directory ?? directory;
    return { parent, name, node: directory, path: trail.map((step) => step.name).join("/") || "/" };
  }
}

/** What a node is, as the disk tells it. */
export function statOf(node: Node): FileStat {
  const { kind, modified } = node;
  const access = kind === "directory" ? node.access : kind === "file" ? 0o644 : 0o777;
  const links = node.kind === "file" ? node.links : 1;
  return { kind, size: kind === "file" ? node.bytes.size : 0, modified, owner: USER, access, links, id: idOf(node) };
}

const ids = new WeakMap<Node, string>();
let nextId = 1;

function idOf(node: Node): string {
  const id = ids.get(node) ?? String(nextId++);
  ids.set(node, id);
  return id;
}

/** A name is gone, and all that stood below it. */
function unlink(node: Node): void {
  if (node.kind === "file") node.links--;
  else if (node.kind === "directory") { for (const below of node.entries.values()) unlink(below); }
}

/** The error for a path that isn't there. */
export function missing(verb: string, path: string): DiskError {
  return new DiskError("notFound", `Cannot ${verb} "${path}": no such file or directory`);
}

function usedBy(node: Node): number {
  if (node.kind === "file") return node.bytes.size;
  let used = 0;
  if (node.kind === "directory") { for (const child of node.entries.values()) used += usedBy(child); }
  return used;
}
