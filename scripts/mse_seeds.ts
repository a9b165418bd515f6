/**
 * Tries connections under encryption that are cut, damaged or ended anywhere, each from a seed, and prints what came of
 * them: `deno run --allow-read=. scripts/mse_seeds.ts [how many, default 100000] [first seed]`.
 *
 * A seed that fails is printed, and the exit code is 1; `... 1 SEED` tries it alone.
 *
 * @module
 */
import { trySeed } from "../plugins/mse/test_seeds.ts";

const count = Number(Deno.args[0] ?? 100_000);
const first = Number(Deno.args[1] ?? 0);
const outcomes = new Map<string, { whole: number; ended: number }>();
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  try {
    const { fault, whole } = await trySeed(seed);
    const sum = outcomes.get(fault) ?? { whole: 0, ended: 0 };
    if (whole) sum.whole++;
    else sum.ended++;
    outcomes.set(fault, sum);
  } catch (error) {
    failed++;
    console.error(`seed ${seed}: ${error instanceof Error ? error.message : error}`);
  }
}
console.log("fault        whole    ended");
for (const [fault, { whole, ended }] of [...outcomes].sort()) {
  console.log(`${fault.padEnd(9)}${`${whole}`.padStart(9)}${`${ended}`.padStart(9)}`);
}
console.log(`${count} seeds, ${failed} failed`);
Deno.exit(failed > 0 ? 1 : 0);
