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

interface Resolved {
  readonly url: string;
  readonly shortCircuit?: boolean;
}
type Next = (specifier: string, context: unknown) => Resolved;
type Resolve = (specifier: string, context: unknown, next: Next) => Resolved;

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
  replace(globalThis, "process", undefined);
  // Another realm would have all of it anew.
  replace(globalThis, "Worker", undefined);
  refuseModules();
  // CommonJS has it by `module.constructor`: a hook that is registered later is asked before ours, and how names become
  // files can be replaced.
  replace(modules.default.prototype, "constructor", undefined);
}

/**
 * Packages come over the network without leave, most of Node's modules go around Deno's permissions, and a compiled
 * Weft loads modules from any folder.
 */
function refuseModules(): void {
  const { builtinModules, registerHooks } = modules as unknown as {
    readonly builtinModules: readonly string[];
    readonly registerHooks?: (hooks: { readonly resolve: Resolve }) => void;
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
      if ((node || has(builtin, name)) && !has(COMPUTING, name)) return { url: `refused:${name}`, shortCircuit: true };
      const found = next(specifier, context);
      if (specifier !== "weft" && startsWith(found.url, "file:") && !mayRead(found.url)) {
        throw new Error(`Cannot import "${specifier}" apart: its entry does not grant reading it`);
      }
      return found;
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

function replace(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: false, configurable: false });
}
