import * as modules from "node:module";

/**
 * Node's modules that only compute. Others reach what Deno's permissions don't guard: any code may end the process it
 * runs in (`process.kill`), open another realm (`worker_threads`), or write to descriptors that are open (`fs`).
 */
const COMPUTING: ReadonlySet<string> = new Set([
  "assert",
  "assert/strict",
  "async_hooks",
  "buffer",
  "crypto",
  "diagnostics_channel",
  "events",
  "path",
  "path/posix",
  "path/win32",
  "punycode",
  "querystring",
  "stream",
  "stream/promises",
  "stream/web",
  "string_decoder",
  "timers",
  "timers/promises",
  "url",
  "util",
  "util/types",
  "zlib",
]);

/** The scheme of a plugin's modules. Deno's own loader doesn't know it, which is the point: see {@link isolateModules}. */
const GUEST = "guest:";
/** The scheme of what is not loaded. */
const REFUSED = "refused:";
/** What every module calls first, with its `import.meta`: that shall say where its file is. */
const META = "__weftMeta";

const WEFT = new URL("../api/mod.ts", import.meta.url).href;

interface ResolveContext {
  readonly parentURL?: string;
}
interface LoadContext {
  readonly importAttributes: { readonly type?: string };
}
interface Loaded {
  readonly format?: string;
  readonly source?: unknown;
  readonly shortCircuit?: boolean;
}

/** What Deno offers since 2.9 or so, and its types don't know everywhere. */
interface NodeModule {
  readonly builtinModules: readonly string[];
  readonly registerHooks?: (hooks: {
    resolve(
      specifier: string,
      context: ResolveContext,
      next: (specifier: string, context: ResolveContext) => { readonly url: string },
    ): { readonly url: string; readonly shortCircuit?: boolean };
    load(url: string, context: LoadContext, next: (url: string, context: LoadContext) => Loaded): Loaded;
  }) => void;
  readonly stripTypeScriptTypes?: (source: string, options: { mode: string; sourceMap?: boolean }) => string;
}

const { builtinModules, registerHooks, stripTypeScriptTypes } = modules as unknown as NodeModule;
/** Whether this Deno has such hooks. */
export const canIsolateModules = registerHooks !== undefined && stripTypeScriptTypes !== undefined;
const builtin: ReadonlySet<string> = new Set(builtinModules);

// Taken before any plugin runs, which may put others in the place of what these come from.
const call = Function.prototype.call;
const startsWith = call.bind(String.prototype.startsWith) as (text: string, head: string) => boolean;
const endsWith = call.bind(String.prototype.endsWith) as (text: string, tail: string) => boolean;
const slice = call.bind(String.prototype.slice) as (text: string, from: number, to?: number) => string;
const indexOf = call.bind(String.prototype.indexOf) as (text: string, part: string) => number;
const replaceAll = call.bind(String.prototype.replaceAll) as (text: string, part: string, by: string) => string;
const has = call.bind(Set.prototype.has) as (set: ReadonlySet<string>, value: string) => boolean;
const hrefOf = call.bind(Object.getOwnPropertyDescriptor(URL.prototype, "href")!.get!) as (url: URL) => string;
const pathOf = call.bind(Object.getOwnPropertyDescriptor(URL.prototype, "pathname")!.get!) as (url: URL) => string;
const { readTextFileSync } = Deno;
const quote = JSON.stringify;
const { assign, defineProperty } = Object;
const decode = decodeURIComponent;
const Url = URL;

/**
 * From now on a plugin's modules are files, and come by these hooks alone, under a scheme of their own. Before Deno
 * loads a module that it knows how to load, it reads all that it names, and asks the registry for each `npm:` there, of
 * a file, a `data:` or a `blob:` alike, whether a hook refuses that later or not. A module of an unknown scheme it
 * leaves to the hooks: each import is judged when it is reached, and nothing is asked for before.
 *
 * Files are read with the worker's own permissions, in a compiled Weft too. Packages come over the network, most of
 * Node's modules go around Deno's permissions, CommonJS reaches all of them.
 *
 * @param prepare what becomes of JavaScript before it runs
 */
export function isolateModules(prepare: (source: string) => string): void {
  const reasons: string[] = [];
  // Leads elsewhere rather than throws: then Deno would go on with a module of Node's own.
  const refuse = (specifier: string, why: string) => {
    reasons[reasons.length] = `Cannot import ${quote(specifier)} in a sandbox: ${why}`;
    return { url: `${REFUSED}${reasons.length - 1}`, shortCircuit: true };
  };
  defineProperty(globalThis, META, { value: setMeta, writable: false, configurable: false, enumerable: false });
  registerHooks!({
    resolve(specifier, context, next) {
      if (specifier === "weft") return { url: WEFT, shortCircuit: true };
      const node = startsWith(specifier, "node:");
      const name = node ? slice(specifier, 5) : specifier;
      if (node || has(builtin, name)) {
        if (has(COMPUTING, name)) return next(`node:${name}`, context);
        return refuse(specifier, "of Node's modules only those load that compute");
      }
      let url = "";
      const relative = startsWith(specifier, "./") || startsWith(specifier, "../") || startsWith(specifier, "/");
      try {
        url = hrefOf(relative ? new Url(specifier, fileOf(context.parentURL ?? "")) : new Url(specifier));
      } catch {
        return refuse(specifier, 'there is no such module; write "weft", or "./" before the name of a file');
      }
      if (startsWith(url, GUEST)) url = fileOf(url);
      if (!startsWith(url, "file:///")) return refuse(specifier, "code comes from files alone; copy what you need");
      return { url: GUEST + slice(url, 5), shortCircuit: true };
    },
    load(url, context, next) {
      if (startsWith(url, REFUSED)) throw new Error(reasons[+slice(url, REFUSED.length)]);
      if (!startsWith(url, GUEST)) return next(url, context); // of Weft or Node: nothing else gets through `resolve`
      const file = fileOf(url);
      const path = new Url(file);
      const { type } = context.importAttributes;
      try {
        // A hook can't give bytes, and Deno itself would look for imports in them.
        if (type === "bytes") {
          throw new Error(`Cannot import ${quote(file)} as bytes in a sandbox: use Deno.readFile()`);
        }
        const text = readTextFileSync(path);
        const source = type === "json" || type === "text" ? text : withMeta(prepare(javaScript(text, file)), file);
        return { format: type === "json" ? "json" : "module", source, shortCircuit: true };
      } catch (error) {
        const { name } = error as Error;
        if (name === "NotCapable") {
          throw new Error(`Cannot import ${quote(file)} in a sandbox: its entry does not grant reading it`);
        }
        if (name === "NotFound") throw new Error(`Module not found ${quote(file)}`);
        throw error;
      }
    },
  });
}

/** A plugin's own name for one of its modules. */
function fileOf(url: string): string {
  return startsWith(url, GUEST) ? `file:${slice(url, GUEST.length)}` : url;
}

/**
 * @throws {SyntaxError} where it is TypeScript that can't be read, or CommonJS
 */
function javaScript(source: string, file: string): string {
  const end = indexOf(file, "?");
  const path = end < 0 ? file : slice(file, 0, end);
  if (endsWith(path, ".cjs") || endsWith(path, ".cts")) {
    throw new SyntaxError(`Cannot import ${quote(file)} in a sandbox: it is CommonJS; write "import" and "export"`);
  }
  if (!endsWith(path, ".ts") && !endsWith(path, ".mts")) return source;
  try {
    // Types become spaces, so that lines and columns stay; where more than types must go, as an enum, lines may move.
    return stripTypeScriptTypes!(source, { mode: "strip" });
  } catch {
    try {
      return stripTypeScriptTypes!(source, { mode: "transform" });
    } catch (error) {
      throw new SyntaxError(replaceAll((error as Error).message, "file:///stripTypeScriptTypes.ts", file));
    }
  }
}

/**
 * With a call that says where the file is, on the first line, but behind the name of an interpreter: lines stay where
 * they are. At its end no map of its source: Deno would read whatever file that names, with Weft's own permissions, and
 * a device until memory ends. Of several the last one counts.
 */
function withMeta(source: string, file: string): string {
  const meta = `${META}(import.meta,${quote(file)});`;
  const begin = startsWith(source, "#!") ? indexOf(source, "\n") + 1 || source.length : 0;
  return `${slice(source, 0, begin)}${meta}${slice(source, begin)}\n//# sourceMappingURL=`;
}

function setMeta(meta: ImportMeta, url: string): void {
  const filename = decode(pathOf(new Url(url)));
  let end = filename.length;
  while (end > 1 && filename[end] !== "/") end--;
  assign(meta, {
    url,
    filename,
    dirname: slice(filename, 0, end),
    resolve: (specifier: string) => hrefOf(new Url(specifier, url)),
  });
}
