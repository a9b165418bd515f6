/**
 * What runs in a sandbox's worker: the guest's side of core/sandbox, over this thread's messages and the network that
 * its permissions leave. Started by core/host/deno/isolates/worker.ts.
 *
 * @module
 */
import { denoClock } from "../host/deno/clock.ts";
import { GrantedNet } from "../host/deno/isolates/net.ts";
import type { WorkerUp } from "../host/deno/isolates/worker.ts";
import { moduleError } from "../host/deno/modules/error.ts";
import { DenoRandom } from "../host/deno/random.ts";
import { Guest } from "../sandbox/mod.ts";
import { lockDown } from "./lockdown.ts";
import { canIsolateModules, isolateModules } from "./modules.ts";
import "../api/mod.ts"; // "weft", which plugins import: loaded here, so that they need no leave to read it

const scope = self as unknown as {
  onmessage: (event: MessageEvent) => void;
  postMessage(message: unknown): void;
};
// Taken before any plugin runs, which may put others in their place.
const post = scope.postMessage.bind(scope);
const guest = new Guest({
  clock: denoClock,
  random: new DenoRandom(),
  net: (grants) => new GrantedNet(grants),
  load: async (url) => {
    try {
      return await import(url);
    } catch (error) {
      throw moduleError(error, url);
    }
  },
  post,
});

let cell: Int32Array | undefined;
if (canIsolateModules) {
  // A process can be ended whatever its code does, which then stays as it was written.
  const safepoint = self.name === "worker" ? (await import("./safepoint.ts")).fitSafepoint() : undefined;
  cell = safepoint?.cell;
  isolateModules(safepoint?.prepare ?? ((source) => source));
}
lockDown();
// What it prints goes to the log.
for (const method of ["debug", "log", "info", "warn", "error"] as const) {
  const level = method === "log" ? "info" : method;
  console[method] = (...parts: unknown[]) => guest.log.write(level, parts.map(shown).join(" "));
}

// Deno would print it, and what a stranger's code says may hold more than letters.
const prevent = Function.prototype.call.bind(Event.prototype.preventDefault);
addEventListener("error", (event) => {
  prevent(event);
  guest.stray(event.error);
});
addEventListener("unhandledrejection", (event) => {
  prevent(event);
  guest.stray(event.reason);
});

scope.onmessage = ({ data }) => guest.receive(data);
post({ up: cell } satisfies WorkerUp);

function shown(part: unknown): string {
  return typeof part === "string" ? part : Deno.inspect(part, { depth: 2 });
}
