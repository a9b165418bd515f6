/**
 * What the scripts that try protocols under random seeds share: their command line, progress, and how a seed that fails
 * is replayed.
 *
 * @module
 */
import { parseArgs } from "node:util";

/** A protocol that can be tried under a seed. */
export interface SeedTrial {
  readonly name: string;
  /**
   * Tries one seed, and says in a few words how it ended.
   *
   * @throws {Error} when something went wrong that must not
   */
  readonly run: (seed: number) => string | Promise<string>;
}

/** Which seeds to try. */
export interface SeedRange {
  readonly from: number;
  readonly count: number;
}

/** What became of the seeds of one protocol. */
export interface SeedTally {
  /** How often each outcome came. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly faults: number;
  /** Seconds of real time. */
  readonly seconds: number;
}

// So often the terminal hears how far it is (ms).
const PROGRESS_INTERVAL = 10_000;

/** Tries seeds one after the other. Faults and progress are told as they come. */
export async function trySeeds(
  { name, run }: SeedTrial,
  { from, count }: SeedRange,
  tell: (line: string) => void,
): Promise<SeedTally> {
  const outcomes = new Map<string, number>();
  const began = performance.now();
  let faults = 0;
  let told = began;
  for (let seed = from; seed < from + count; seed++) {
    try {
      const outcome = await run(seed);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (error) {
      faults++;
      tell(`${name}: seed ${seed}: ${error instanceof Error ? error.message : error}`);
      tell(`  replay it: deno task seeds ${name} --seed ${seed}`);
    }
    const now = performance.now();
    if (now - told < PROGRESS_INTERVAL) continue;
    told = now;
    tell(`${name}: ${seed + 1 - from} of ${count} seeds, ${faults} faults`);
  }
  return { outcomes, faults, seconds: (performance.now() - began) / 1_000 };
}

/**
 * Reads a command line: which protocols to try, and which seeds.
 *
 * @param names the protocols that there are; all of them are tried where none is named
 * @throws {TypeError} when it can't be read
 */
export function readCommand(args: readonly string[], names: readonly string[]): { chosen: string[]; range: SeedRange } {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      from: { type: "string", default: "0" },
      seeds: { type: "string", default: "100000" },
      seed: { type: "string" },
    },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new TypeError(`Cannot try "${unknown}": choose of ${names.join(", ")}`);
  const range = values.seed === undefined
    ? { from: wholeNumber("from", values.from), count: wholeNumber("seeds", values.seeds) }
    : { from: wholeNumber("seed", values.seed), count: 1 };
  return { chosen: positionals.length > 0 ? positionals : [...names], range };
}

/**
 * Tries what the command line says of these protocols, and prints a line for each. The exit code is 1 after a fault, 2
 * after a mistake in the command.
 */
export async function runCommand(trials: readonly SeedTrial[]): Promise<void> {
  let command: ReturnType<typeof readCommand>;
  try {
    command = readCommand(Deno.args, trials.map(({ name }) => name));
  } catch (error) {
    console.error((error as Error).message);
    Deno.exitCode = 2;
    return;
  }
  const { chosen, range } = command;
  const lines: string[] = [];
  for (const trial of trials.filter(({ name }) => chosen.includes(name))) {
    const { outcomes, faults, seconds } = await trySeeds(trial, range, console.error);
    const counts = [...outcomes].sort().map(([outcome, times]) => `${times} ${outcome}`);
    lines.push(
      [`${trial.name}: ${range.count} seeds in ${seconds.toFixed(0)} s`, ...counts, `${faults} faults`].join(", "),
    );
    if (faults > 0) Deno.exitCode = 1;
  }
  for (const line of lines) console.log(line);
}

function wholeNumber(option: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new TypeError(`Cannot read --${option}: expected a whole number, not "${text}"`);
}
