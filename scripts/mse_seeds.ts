/**
 * Tries connections under encryption that are cut, damaged or ended anywhere, each from a seed: `deno task seeds mse`, or
 * `deno run --allow-read=. scripts/mse_seeds.ts [--seeds 100000] [--from 0] [--seed N]`.
 *
 * @module
 */
import { trySeed } from "../plugins/mse/test_seeds.ts";
import { runCommand, type SeedTrial } from "./seed_runner.ts";

/** What happened to the stream, and whether all of it arrived. */
export const mse: SeedTrial = {
  name: "mse",
  async run(seed) {
    const { fault, whole } = await trySeed(seed);
    return `${whole ? "whole" : "ended"} with fault ${fault}`;
  },
};

if (import.meta.main) await runCommand([mse]);
