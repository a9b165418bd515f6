/**
 * Feeds each reader of outside bytes with damaged fixtures and with random bytes, half and half, and prints what came of
 * it: `deno task fuzz [READER ...] [--inputs 100000] [--seed 1]`.
 *
 * Whatever comes is read or refused with an error of the reader's own kind; anything else is printed with what brings it
 * back, and the exit code is 1.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { toHex } from "../core/wire/mod.ts";
import { seeded } from "../plugins/tracker_server/test_tracker.ts";
import { liars, mutations } from "../tests/support/liars.ts";
import { type Target, targets } from "./fuzz_targets.ts";

/** The longest of the random inputs, in bytes: longer ones only fail the same way later. */
const LONGEST_RANDOM = 300;

/** What came of one target. Milliseconds. */
interface Outcome {
  read: number;
  refused: number;
  slowest: number;
  total: number;
  readonly faults: string[];
}

function feed({ read, throws }: Target, bytes: Uint8Array, what: () => string, outcome: Outcome): void {
  const began = performance.now();
  try {
    read(bytes);
    outcome.read++;
  } catch (error) {
    if (error instanceof Error && error.name === throws) outcome.refused++;
    else outcome.faults.push(`${what()}: ${error}`);
  }
  const took = performance.now() - began;
  outcome.total += took;
  outcome.slowest = Math.max(outcome.slowest, took);
}

/** Feeds one target with `count` inputs; `bencode`'s lies come on top. */
function fuzz(target: Target, count: number, seed: number): Outcome {
  const outcome: Outcome = { read: 0, refused: 0, slowest: 0, total: 0, faults: [] };
  if (target.name === "torrent") { for (const [lie, bytes] of liars()) feed(target, bytes, () => lie, outcome); }
  const damaged = mutations(target.originals, seed);
  const random = seeded(seed);
  for (let n = 0; n < count; n++) {
    const bytes = n % 2 ? random.bytes(random.below(LONGEST_RANDOM)) : damaged.next().value as Uint8Array;
    // Readers may write to what they are fed.
    const hex = bytes.length <= LONGEST_RANDOM ? toHex(bytes) : `input ${n} of seed ${seed}`;
    feed(target, bytes, () => hex, outcome);
  }
  return outcome;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { inputs: { type: "string", default: "100000" }, seed: { type: "string", default: "1" } },
});
const wanted = positionals.map((name) => {
  const target = targets.find((target) => target.name === name);
  if (!target) throw new Error(`No reader "${name}"; there are ${targets.map(({ name }) => name).join(", ")}`);
  return target;
});
let failed = false;
console.log("reader        read   refused   faults   mean us   slowest ms");
for (const target of wanted.length > 0 ? wanted : targets) {
  const { read, refused, faults, total, slowest } = fuzz(target, Number(values.inputs), Number(values.seed));
  const figures = [`${read}`.padStart(8), `${refused}`.padStart(9), `${faults.length}`.padStart(8)];
  figures.push((1_000 * total / (read + refused)).toFixed(1).padStart(9), slowest.toFixed(0).padStart(12));
  console.log(`${target.name.padEnd(10)}${figures.join(" ")}`);
  for (const fault of faults.slice(0, 5)) console.log(`  ${fault}`);
  failed ||= faults.length > 0;
}
Deno.exit(failed ? 1 : 0);
