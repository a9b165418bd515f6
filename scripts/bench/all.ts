/**
 * Runs the benchmarks, one after another, each in a process of its own: `deno task bench` runs all, `deno task bench
 * NAME [OPTIONS]` one of them. Each says in its file what it measures and takes.
 *
 * Figures of one run compare with each other, not with those of another machine or day; nothing else should run.
 *
 * @module
 */
import { runScripts } from "../run_scripts.ts";

await runScripts({
  kind: "benchmark",
  folder: new URL("./", import.meta.url),
  files: {
    transfer: "transfer.ts",
    rc4: "rc4.ts",
    utp: "utp.ts",
    tracker: "tracker.ts",
    dht: "dht.ts",
    idle: "idle.ts",
    reload: "reload.ts",
    sandbox: "sandbox.ts",
    store: "store.ts",
  },
}, Deno.args);
