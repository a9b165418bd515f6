/**
 * Has pairs of uTP connections converse in whatever weather a seed makes: `deno task seeds utp`, or
 * `deno run --allow-read=. scripts/utp_sim.ts [--seeds 100000] [--from 0] [--seed N]`.
 *
 * @module
 */
import { converse } from "../plugins/utp/test_pair.ts";
import { runCommand, type SeedTrial } from "./seed_runner.ts";

/** Whether all bytes arrived. */
export const utp: SeedTrial = {
  name: "utp",
  run(seed) {
    const { complete, fault } = converse(seed);
    if (fault !== undefined) throw new Error(fault);
    return complete ? "whole" : "ended";
  },
};

if (import.meta.main) await runCommand([utp]);
