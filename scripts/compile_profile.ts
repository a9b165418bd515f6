/** What a profile adds to the binary that is compiled for it. @module */
import { parse } from "yaml";
import { ConfigError } from "../core/api/mod.ts";
import { pluginResolver } from "../core/profile/mod.ts";
import { isAbsolute, loadProfile, parentOf } from "../core/config/mod.ts";
import { denoHost } from "../core/host/deno/mod.ts";
import { builtins } from "../plugins/mod.ts";
import project from "../deno.json" with { type: "json" };

/** A profile's part in a binary. */
export interface ProfilePart {
  /** The plugins to compile in: `use` as the profile writes it, and what to import, a URL. */
  readonly embedded: ReadonlyMap<string, string>;
  /** Packages from npm to compile in; the binary finds them by the same name. */
  readonly packages: readonly string[];
  /** The entries that are isolated, with the files that are read from disk then, as seen from the profile. */
  readonly isolated: readonly { readonly name: string; readonly files: readonly string[] }[];
  /** Environment variables that the profile grants to those. */
  readonly env: readonly string[];
}

/**
 * Reads and checks the profile at `path` (absolute), which errors call `name`. Everything is checked but the torrents:
 * those may stand on another machine.
 *
 * @throws {ConfigError} with every mistake in it
 */
export async function readProfilePart(path: string, name: string): Promise<ProfilePart> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new ConfigError([`Cannot read profile "${name}": ${(cause as Error).message.replace(/ ?\(os error.*/, "")}`]);
  }
  const host = denoHost();
  const resolvePlugin = pluginResolver({ builtins, host, version: project.version });
  const { plugins } = await loadProfile({ text, file: name, baseDir: parentOf(path), resolvePlugin });
  // Settings hold resolved paths, while the binary knows its plugins by what the profile says, wherever it will stand.
  const written = (parse(text) as { plugins: readonly { use: string }[] }).plugins.map(({ use }) => use);
  const embedded = new Map<string, string>();
  const packages = new Set<string>();
  for (const [i, { use, isolate }] of plugins.entries()) {
    if (isolate !== "none" || Object.hasOwn(builtins, use)) continue;
    if (use.startsWith("npm:")) packages.add(use);
    else embedded.set(written[i], isAbsolute(use) ? fileUrl(use) : use);
  }
  const isolated = [...plugins.entries()].filter(([, { isolate }]) => isolate !== "none");
  const seen = (file: string, use: string): string =>
    use.startsWith(".") ? decodeURIComponent(relativeUrl(fileUrl(path), fileUrl(file))) : file;
  return {
    embedded,
    packages: [...packages],
    isolated: isolated.map(([i, { name, files }]) => ({ name, files: files.map((file) => seen(file, written[i])) })),
    env: [...new Set(isolated.flatMap(([, { permissions }]) => permissions.env ?? []))],
  };
}

/**
 * The source of a main module that runs Weft with these plugins compiled in. Files are imported by a path relative to
 * `url`, the module's own: in a binary all files stand in another place, but as they stood to each other.
 */
export function entryModule(url: string, weft: string, { embedded, packages }: ProfilePart): string {
  const load = (target: string): string => `() => import(${JSON.stringify(relativeUrl(url, target))}),\n`;
  return `import { runAsMain } from ${JSON.stringify(relativeUrl(url, weft))};

runAsMain({
${[...embedded].map(([use, target]) => `  ${JSON.stringify(use)}: ${load(target)}`).join("")}});

// Never called: what is named here is in the program, and found by its name as it would be without it.
export const packages = [
${packages.map((name) => `  ${load(name)}`).join("")}];
`;
}

/** The `file:` URL of an absolute path. */
export function fileUrl(path: string): string {
  return `file://${path.split("/").map(encodeURIComponent).join("/")}`;
}

function relativeUrl(from: string, to: string): string {
  if (!to.startsWith("file:")) return to;
  const [here, there] = [from, to].map((url) => url.split("/"));
  let shared = 0;
  while (shared < here.length - 1 && here[shared] === there[shared]) shared++;
  const up = here.slice(shared + 1).map(() => "..");
  return [...up.length > 0 ? up : ["."], ...there.slice(shared)].join("/");
}
