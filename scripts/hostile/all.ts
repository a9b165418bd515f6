/**
 * Attacks on real processes, and what each costs honest peers: `deno task hostile` runs all, `deno task hostile NAME`
 * one of them. Each says in its file what it does, prints what it measured beside the bound, and fails where that is
 * passed. All of it stays on loopback, and is bounded in time and count.
 *
 * Nothing else should run: throughput and stalls are measured.
 *
 * @module
 */
import { runScripts } from "../run_scripts.ts";

await runScripts({
  kind: "attack",
  folder: new URL("./", import.meta.url),
  files: {
    descriptors: "descriptors.ts",
    half_body: "half_body.ts",
    messages: "messages.ts",
    places: "places.ts",
    upload_limit: "upload_limit.ts",
  },
}, Deno.args);
