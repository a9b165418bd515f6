import * as node from "node:module";
import { type HostModules, type LoadedModule, type ModuleCode, ModuleError } from "../../../api/mod.ts";
import { type Code, isLocal, isRefreshed, pathOf, readCode } from "./code.ts";
import { moduleError } from "./error.ts";

interface Resolved {
  readonly url: string;
  /** Without it a hook has to ask the next one. */
  readonly shortCircuit?: boolean;
}

/** What Deno offers since 2.9 or so, and its types don't know everywhere. */
interface Hooks {
  registerHooks?(hooks: {
    resolve(
      specifier: string,
      context: { readonly parentURL?: string },
      next: (specifier: string, context: unknown) => Resolved,
    ): Resolved;
  }): void;
}

const WEFT = new URL("../../../api/mod.ts", import.meta.url).href;

// How often to read a module again that is being written just now.
const MAX_TRIES = 3;

/** The hooks are the process's: once is enough. */
let hooked: boolean | undefined;

/**
 * Imports modules from disk. An import stays what it was for as long as the process lives, so each version of the code
 * is imported under a URL of its own, `file:///roster.ts?weft=VERSION`; a hook passes the query on to the files that
 * it imports.
 */
export class DenoModules implements HostModules {
  /** Where there are no hooks: the hash of each imported file when it was first loaded. */
  readonly #loaded = new Map<string, string>();
  /** Versions that were written to while they were imported: their URLs hold something else. */
  readonly #spoiled = new Map<string, number>();
  #stripsTypes: Promise<boolean> | undefined;

  async inspect(url: string): Promise<ModuleCode> {
    const { version, files } = await this.#read(url);
    await this.#checkTypes(files);
    return { version, files };
  }

  async load(url: string): Promise<LoadedModule> {
    hooked ??= carryVersions();
    for (let tries = 1;; tries++) {
      const code = await this.#read(url);
      await this.#check(url, code);
      const spoiled = this.#spoiled.get(`${url} ${code.version}`) ?? 0;
      const query = url.startsWith("file:") ? `?weft=${code.version}${spoiled ? `-${spoiled}` : ""}` : "";
      let exports: Record<string, unknown> | undefined;
      let failure: unknown;
      try {
        exports = await import(url + query);
      } catch (error) {
        failure = error;
      }
      if ((await this.inspect(url)).version !== code.version) {
        this.#spoiled.set(`${url} ${code.version}`, spoiled + 1);
        if (tries < MAX_TRIES) continue;
        throw new ModuleError(`"${pathOf(url)}" changes while it is read; save it again`);
      }
      if (!exports) {
        // It would fail for ever under that URL, though what it missed may come.
        this.#spoiled.set(`${url} ${code.version}`, spoiled + 1);
        throw moduleError(failure, url);
      }
      for (const file of code.files.slice(1)) this.#loaded.set(file, code.hashes.get(file)!);
      return { version: code.version, files: code.files, exports };
    }
  }

  async #read(url: string): Promise<Code> {
    return url.startsWith("file:") ? await readCode(url) : { version: url, files: [], hashes: new Map() };
  }

  /** What can't be done is said before it would be done wrongly, or before Deno asks and waits for an answer. */
  async #check(url: string, { files, hashes }: Code): Promise<void> {
    const host = /^https?:/.test(url) ? hostOf(new URL(url)) : undefined;
    if (host && Deno.permissions.querySync({ name: "import", host }).state !== "granted") {
      throw new ModuleError(`Weft may not import code from "${host}"; start it with --allow-import=${host}`);
    }
    await this.#checkTypes(files);
    if (hooked) return;
    const stale = files.slice(1).find((file) => (this.#loaded.get(file) ?? hashes.get(file)) !== hashes.get(file));
    if (!stale) return;
    throw new ModuleError(
      `"${stale}" has changed, which "${files[0]}" imports: Deno ${Deno.version.deno} can't load that anew; ` +
        "restart Weft, or run it with Deno 2.9",
    );
  }

  async #checkTypes(files: readonly string[]): Promise<void> {
    const typed = files.find((file) => /\.[cm]?tsx?$/.test(file));
    if (!typed || !Deno.build.standalone || await (this.#stripsTypes ??= stripsTypes())) return;
    throw new ModuleError(
      `this binary, made with Deno ${Deno.version.deno}, can't load the TypeScript of "${typed}"; ` +
        'compile it in with `deno task compile --profile`, without "isolate", or write it in JavaScript',
    );
  }
}

/** From now on what a versioned file imports is of that version as well. False where this Deno has no such hooks. */
function carryVersions(): boolean {
  const { registerHooks } = node as Hooks;
  registerHooks?.({
    resolve(specifier, context, next) {
      if (specifier === "weft") return { url: WEFT, shortCircuit: true }; // npm packages know no import map
      const found = next(specifier, context);
      const version = /\?weft=[\da-f-]+$/.exec(context.parentURL ?? "")?.[0];
      if (!version || !isLocal(specifier) || !isRefreshed(found.url) || found.url.includes("?")) return found;
      return { ...found, url: found.url + version };
    },
  });
  return registerHooks !== undefined;
}

function hostOf({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}

async function stripsTypes(): Promise<boolean> {
  const source = "data:application/typescript,export default 1 as number";
  return await import(source).then(() => true, () => false);
}
