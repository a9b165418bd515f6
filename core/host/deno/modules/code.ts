import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type ModuleCode, ModuleError } from "../../../api/mod.ts";

/** A plugin has a handful of files; the caps keep a wrong path from reading a disk into memory. */
const MAX_FILES = 1000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** The rooms that all plugins share with Weft: of them there is one instance, whatever imports them. */
const SHARED = new URL("../../../", import.meta.url).href;

/** A module's code, file by file. */
export interface Code extends ModuleCode {
  /** The hash of each file, or `missing`, by its path; the module itself comes first. */
  readonly hashes: ReadonlyMap<string, string>;
}

/**
 * The files behind a module and a hash over them: the module, and the local files that it imports, however far down.
 *
 * @throws {ModuleError} when the module itself can't be read
 */
export async function readCode(url: string): Promise<Code> {
  const hashes = new Map<string, string>();
  const wanted = new Set([url]);
  for (const each of wanted) { // grows while it is walked
    if (wanted.size > MAX_FILES) throw new ModuleError(`"${pathOf(url)}" imports more than ${MAX_FILES} files`);
    const bytes = await readSource(each, each === url);
    hashes.set(pathOf(each), bytes ? createHash("sha256").update(bytes).digest("hex") : "missing");
    if (!bytes || !/\.[cm]?[jt]sx?$/.test(each)) continue;
    for (const target of importsOf(new TextDecoder().decode(bytes), each)) wanted.add(target);
  }
  const all = createHash("sha256").update(JSON.stringify([...hashes].sort()));
  return { version: all.digest("hex").slice(0, 16), files: [...hashes.keys()], hashes };
}

/**
 * The local files that a source imports. A sentence in a comment or a text may look like an import too: then a file
 * more is watched, which harms nobody.
 */
export function importsOf(source: string, url: string): string[] {
  const gap = String.raw`(?:\s|/\*[^]*?\*/)*`;
  const statement = new RegExp(String.raw`\b(?:from|import)${gap}\(?${gap}(["'\x60])([^"'\x60\n]+)\1`, "g");
  return [...source.matchAll(statement)].flatMap(([, , specifier]) => {
    const target = isLocal(specifier) && URL.canParse(specifier, url) ? new URL(specifier, url).href : "";
    return isRefreshed(target) && !target.endsWith("/") ? [target] : [];
  });
}

/** Whether a specifier names a file, rather than a package or one of Weft's own names. */
export function isLocal(specifier: string): boolean {
  return /^(?:\.{0,2}\/|file:)/.test(specifier);
}

/** Whether a file may be loaded again: those of Weft's core stay what they are. */
export function isRefreshed(url: string): boolean {
  return url.startsWith("file:") && !url.startsWith(SHARED);
}

/** The path of a file's URL, whatever its query; other URLs as they are. */
export function pathOf(url: string): string {
  return url.startsWith("file:") ? fileURLToPath(url) : url;
}

async function readSource(url: string, isEntry: boolean): Promise<Uint8Array | undefined> {
  const path = pathOf(url);
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") {
    // Asking would stop the whole process until somebody answers.
    throw new ModuleError(`Weft may not read "${path}"; start it with --allow-read for that folder`);
  }
  try {
    const bytes = await readFile(path);
    if (bytes.length <= MAX_FILE_BYTES) return bytes;
  } catch (error) {
    if (!isEntry) return undefined; // the import will fail, and say where
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") throw new ModuleError(`there is no file "${path}"; correct its path`);
    if (code === "EISDIR") throw new ModuleError(`"${path}" is a folder; name the module in it, such as mod.ts`);
    throw new ModuleError(`cannot read "${path}": ${(error as Error).message}`);
  }
  throw new ModuleError(`"${path}" has more than ${MAX_FILE_BYTES} bytes; leave it out of the plugin's imports`);
}
