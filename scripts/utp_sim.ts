/**
 * Has pairs of uTP connections converse in whatever weather a seed makes, and tells which seeds fail.
 *
 * `deno run scripts/utp_sim.ts [--from 0] [--seeds 100000]`
 *
 * @module
 */
import { parseArgs } from "node:util";
import { converse } from "../plugins/utp/test_pair.ts";

const { values } = parseArgs({
  options: { from: { type: "string", default: "0" }, seeds: { type: "string", default: "100000" } },
});
const from = Number(values.from);
const to = from + Number(values.seeds);
let [complete, faults] = [0, 0];
for (let seed = from; seed < to; seed++) {
  const outcome = converse(seed);
  if (outcome.complete) complete++;
  if (outcome.fault === undefined) continue;
  faults++;
  console.log(`seed ${seed}: ${outcome.fault}; replay it with --from ${seed} --seeds 1`);
}
console.log(`${to - from} seeds, ${complete} complete, ${faults} with faults`);
if (faults > 0) Deno.exitCode = 1;
