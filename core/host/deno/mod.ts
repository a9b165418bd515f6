/**
 * The real host: the only room that calls Deno and Node.
 *
 * @module
 */
import type { Host } from "../../api/mod.ts";
import { denoClock } from "./clock.ts";
import { freeDescriptors } from "./descriptors.ts";
import { DenoDisk } from "./disk/mod.ts";
import { denoIsolates } from "./isolates/mod.ts";
import { DenoModules } from "./modules/mod.ts";
import { DenoNet } from "./net/mod.ts";
import { DenoRandom } from "./random.ts";
import { HostWorkers } from "./disk/workers.ts";

export { type OwnSources, ownSources } from "./modules/own.ts";
export { GUEST_ARGUMENT } from "./isolates/process.ts";
export { containStrayErrors } from "./stray_errors.ts";
export { denoTerminal } from "./terminal.ts";

/** A host that holds a worker thread, once digests or databases were asked of it. */
export interface DenoHost extends Host {
  /** Closes databases and idle connections that are still open, and ends the worker. */
  close(): Promise<void>;
}

/** This machine. `caCerts` (PEM) are trusted for https beside the well-known ones. */
export function denoHost({ caCerts = [] }: { caCerts?: readonly string[] } = {}): DenoHost {
  const workers = new HostWorkers();
  const net = new DenoNet(caCerts);
  return {
    clock: denoClock,
    random: new DenoRandom(),
    net,
    disk: new DenoDisk(workers),
    db: workers,
    descriptors: freeDescriptors,
    isolates: denoIsolates,
    modules: new DenoModules(),
    async close() {
      net.close();
      await workers.close();
    },
  };
}
