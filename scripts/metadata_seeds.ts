/**
 * Has magnets fetch their metadata among peers who lie, vanish and fall silent, over networks as bad as a seed makes
 * them: `deno task seeds metadata`, or `deno run --allow-read=. scripts/metadata_seeds.ts [--seeds 100000] [--from 0]
 * [--seed N]`.
 *
 * @module
 */
import { trySeed } from "../plugins/metadata/test_seeds.ts";
import { runCommand, type SeedTrial } from "./seed_runner.ts";

/** Whether there was somebody who has the metadata and stays, and whether every magnet got it. */
export const metadata: SeedTrial = {
  name: "metadata",
  async run(seed) {
    const { peers, whole } = await trySeed(seed);
    return `${whole ? "whole" : "taken back"} among ${peers} peers`;
  },
};

if (import.meta.main) await runCommand([metadata]);
