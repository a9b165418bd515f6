import * as modules from "node:module";
import process from "node:process";

/**
 * Node's modules that only compute. Others reach what Deno's permissions don't guard: any code may end the process it
 * runs in (`process.kill`), open another realm (`worker_threads`), or write to descriptors that are open (`fs`).
 */
const COMPUTING = new Set([
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

/** Where else modules may come from. */
const SCHEMES = new Set(["file:", "data:", "blob:"]);

interface Resolved {
  readonly url: string;
  readonly shortCircuit?: boolean;
}
interface LoadContext {
  readonly conditions: readonly string[];
}

/** What Deno offers since 2.9 or so, and its types don't know everywhere. */
interface Hooks {
  resolve(
    specifier: string,
    context: unknown,
    next: (specifier: string, context: unknown) => Resolved,
  ): Resolved;
  load(
    url: string,
    context: LoadContext,
    next: (url: string, context: LoadContext) => unknown,
  ): unknown;
}

/**
 * Closes what a worker's permissions leave open, before any plugin's code runs. Where this Deno has no
 * `registerHooks`, Node's modules and packages from npm stay open: see the README.
 */
export function lockDown(): void {
  const refuse = (): never => {
    throw new Error("A plugin that runs apart may not do this");
  };
  // The terminal, and a child process's way to Weft.
  for (const stream of [Deno.stdin, Deno.stdout, Deno.stderr]) stream.close();
  // Whoever has none of these permissions may still kill its own process, which in a worker is Weft, or change how it
  // makes files.
  for (const name of ["kill", "umask"]) replace(Deno, name, refuse);
  for (const name of ["kill", "umask", "_kill", "abort", "reallyExit", "binding", "getBuiltinModule", "dlopen"]) {
    replace(process, name, refuse);
  }
  const { internal, Process } = Deno as unknown as { internal: symbol; Process?: { prototype: object } };
  if (Process) replace(Process.prototype, "kill", refuse);
  // What Node's modules that compute look for in it.
  const { nextTick } = process;
  replace(globalThis, "process", Object.freeze({ nextTick, emitWarning: () => {}, noDeprecation: true, env: {} }));
  // Deno's own insides: they print, and some of them panic.
  replace(Deno, internal, undefined);
  replace(globalThis, "nodeBootstrap", undefined);
  // Another realm would have all of it anew; one canvas may be larger than memory.
  replace(globalThis, "Worker", undefined);
  replace(globalThis, "OffscreenCanvas", undefined);
  refuseModules();
  // Where a plugin gets hold of it, a hook that it registers would be asked before ours.
  replace(modules.default.prototype, "constructor", undefined);
}

/**
 * Packages come over the network without leave, most of Node's modules go around Deno's permissions, CommonJS reaches
 * all of them, and a compiled Weft loads modules from any folder.
 */
function refuseModules(): void {
  const { builtinModules, registerHooks } = modules as unknown as {
    readonly builtinModules: readonly string[];
    readonly registerHooks?: (hooks: Hooks) => void;
  };
  const builtin = new Set(builtinModules);
  registerHooks?.({
    resolve(specifier, context, next) {
      if (startsWith(specifier, "npm:") || startsWith(specifier, "jsr:")) {
        throw new Error(`Cannot import "${specifier}" apart: packages come over the network; copy what you need`);
      }
      const node = startsWith(specifier, "node:");
      const name = node ? slice(specifier, 5) : specifier;
      // Deno goes on with a module of Node's own when this throws, but not when it leads elsewhere.
      const refused = { url: `refused:${name}`, shortCircuit: true };
      if ((node || has(builtin, name)) && !has(COMPUTING, name)) return refused;
      const found = next(specifier, context);
      // Again, since "NODE:fs" and "no\tde:fs" are Node's too.
      const scheme = slice(found.url, 0, indexOf(found.url, ":") + 1);
      if (scheme === "node:" ? !has(COMPUTING, slice(found.url, 5)) : !has(SCHEMES, scheme)) return refused;
      if (specifier !== "weft" && startsWith(found.url, "file:") && !mayRead(found.url)) {
        throw new Error(`Cannot import "${specifier}" apart: its entry does not grant reading it`);
      }
      return found;
    },
    load(url, context, next) {
      const { conditions } = context;
      for (let i = 0; i < conditions.length; i++) {
        if (conditions[i] !== "require") continue;
        throw new Error(`Cannot load "${url}" apart: it is CommonJS; write "import" and "export"`);
      }
      return next(url, context);
    },
  });
}

// Taken before any plugin runs, which may put others in the place of what these come from.
const call = Function.prototype.call;
const startsWith = call.bind(String.prototype.startsWith) as (text: string, head: string) => boolean;
const slice = call.bind(String.prototype.slice) as (text: string, from: number, to?: number) => string;
const indexOf = call.bind(String.prototype.indexOf) as (text: string, part: string) => number;
const has = call.bind(Set.prototype.has) as (set: ReadonlySet<string>, value: string) => boolean;
const stateOf = call.bind(Object.getOwnPropertyDescriptor(Deno.PermissionStatus.prototype, "state")!.get!) as (
  status: Deno.PermissionStatus,
) => Deno.PermissionState;
const query = Deno.permissions.querySync.bind(Deno.permissions);
const decode = decodeURIComponent;

function mayRead(url: string): boolean {
  const end = indexOf(url, "?");
  const path = decode(slice(url, "file://".length, end < 0 ? undefined : end));
  return stateOf(query({ name: "read", path })) === "granted";
}

function replace(object: object, name: string | symbol, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: false, configurable: false });
}
