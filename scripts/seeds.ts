/**
 * Tries uTP, encryption and the exchange of metadata under random seeds of loss, reordering, duplicates, cuts and lies,
 * and the store under those of short memory, late blocks and faulty disks, and tells which seeds fail:
 * `deno task seeds [utp] [mse] [metadata] [store] [--seeds 100000] [--from 0] [--seed N]`.
 *
 * @module
 */
import { trySeed as tryStore } from "../core/store/test_seeds.ts";
import { trySeed as tryMetadata } from "../plugins/metadata/test_seeds.ts";
import { trySeed as tryMse } from "../plugins/mse/test_seeds.ts";
import { converse } from "../plugins/utp/test_pair.ts";
import { runCommand, type SeedTrial } from "./seed_runner.ts";

/** Pairs of connections that converse in whatever weather a seed makes: whether all bytes arrived. */
const utp: SeedTrial = {
  name: "utp",
  run(seed) {
    const { complete, fault } = converse(seed);
    if (fault !== undefined) throw new Error(fault);
    return complete ? "whole" : "ended";
  },
};

/** Streams that are cut, damaged or ended anywhere: by what, and whether all of them arrived. */
const mse: SeedTrial = {
  name: "mse",
  async run(seed) {
    const { fault, whole } = await tryMse(seed);
    return `${whole ? "whole" : "ended"} with fault ${fault}`;
  },
};

/** Magnets among peers who lie, vanish and fall silent: whether somebody who has the metadata stays, and each got it. */
const metadata: SeedTrial = {
  name: "metadata",
  async run(seed) {
    const { peers, whole } = await tryMetadata(seed);
    return `${whole ? "whole" : "taken back"} among ${peers} peers`;
  },
};

/** Stores that share too little memory: whether it ran short, and whether the disk refused in between. */
const store: SeedTrial = {
  name: "store",
  async run(seed) {
    const { short, refused } = await tryStore(seed);
    return `${short ? "in short memory" : "in memory enough"}${refused ? " on a disk that refused" : ""}`;
  },
};

if (import.meta.main) await runCommand([utp, mse, metadata, store]);
