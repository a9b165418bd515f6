/**
 * What runs in a sandbox's worker: the guest's side of core/sandbox, over this thread's messages and the network that
 * its permissions leave. Started by core/host/deno/isolates_worker.ts.
 *
 * @module
 */
import * as modules from "node:module";
import { denoClock } from "../host/deno/clock.ts";
import { GrantedNet } from "../host/deno/isolates_net.ts";
import { DenoRandom } from "../host/deno/random.ts";
import { Guest } from "../sandbox/mod.ts";
import "../api/mod.ts"; // "weft", which plugins import: loaded here, so that they need no leave to read it

const scope = self as unknown as {
  onmessage: (event: MessageEvent) => void;
  postMessage(message: unknown): void;
};
// Taken before any plugin runs, which may put others in their place.
const post = scope.postMessage.bind(scope);
const startsWith = Function.prototype.call.bind(String.prototype.startsWith) as (text: string, head: string) => boolean;
const { registerHooks } = modules as unknown as {
  readonly registerHooks?: (hooks: {
    resolve(specifier: string, context: unknown, next: (specifier: string, context: unknown) => unknown): unknown;
  }) => void;
};

const guest = new Guest({
  clock: denoClock,
  random: new DenoRandom(),
  net: (grants) => new GrantedNet(grants),
  // Computed, so that the whole graph is checked against this worker's permissions.
  load: (url) => import(url),
  post,
});

// Packages come over the network, which nobody asks the permissions for. Releases of Deno without this can't refuse.
registerHooks?.({
  resolve(specifier, context, next) {
    if (!startsWith(specifier, "npm:") && !startsWith(specifier, "jsr:")) return next(specifier, context);
    throw new Error(`Cannot import "${specifier}" in a sandbox: packages come over the network; copy what you need`);
  },
});

// The terminal, and a child process's way to Weft, are not the plugin's: what it prints goes to the log.
for (const stream of [Deno.stdin, Deno.stdout, Deno.stderr]) stream.close();
for (
  const [method, level] of [["debug", "debug"], ["log", "info"], ["info", "info"], ["warn", "warn"], [
    "error",
    "error",
  ]] as const
) {
  console[method] = (...parts: unknown[]) => guest.log.write(level, parts.map(shown).join(" "));
}

scope.onmessage = ({ data }) => guest.receive(data);
post("up");

function shown(part: unknown): string {
  return typeof part === "string" ? part : Deno.inspect(part, { depth: 2 });
}
