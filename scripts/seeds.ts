/**
 * Tries uTP, encryption and the exchange of metadata under random seeds of loss, reordering, duplicates, cuts and lies,
 * and tells which seeds fail: `deno task seeds [utp] [mse] [metadata] [--seeds 100000] [--from 0] [--seed N]`.
 *
 * @module
 */
import { metadata } from "./metadata_seeds.ts";
import { mse } from "./mse_seeds.ts";
import { runCommand } from "./seed_runner.ts";
import { utp } from "./utp_sim.ts";

if (import.meta.main) await runCommand([utp, mse, metadata]);
