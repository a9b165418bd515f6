/** Runs a test for many seeds, and says how to replay the one that fails. @module */
import { errorText } from "../../core/api/mod.ts";

/** The variable that replays: a seed, or several as `FIRST-LAST`. */
const VARIABLE = "WEFT_SEED";

/** Seeds: so many, from 1 on, or these. */
export type Seeds = number | Iterable<number>;

/**
 * Registers a test for `deno test` that runs `run` for each seed, one after the other. When a seed fails, the error says
 * which, and the command that runs that one alone; what `run` does must follow from its seed, as all does that
 * `createSimulation` and `SimSwarm` make of it. With `WEFT_SEED=17`, or `WEFT_SEED=1-100000`, those seeds are run
 * instead of `seeds`.
 *
 * ```ts ignore
 * import { makeTorrent, simulate, SimSwarm } from "weft/testing";
 *
 * simulate("a torrent crosses a bad network", 3, async (seed) => {
 *   await using swarm = new SimSwarm(seed);
 *   swarm.simulation.network.everywhere({ latency: 50, jitter: 20, loss: 0.05, bandwidth: 1_250_000 });
 *   const torrent = makeTorrent();
 *   const source = await swarm.seed("seed", torrent);
 *   const leech = await swarm.peer("leech", {
 *     profile: { plugins: [{ use: "tcp" }, { use: "peers", with: { peers: [source.address] } }] },
 *   });
 *   await swarm.add(leech, torrent);
 *   await swarm.complete(leech, torrent);
 * });
 * ```
 */
export function simulate(name: string, seeds: Seeds, run: (seed: number) => void | Promise<void>): void {
  Deno.test(name, async ({ origin }) => {
    const file = origin.startsWith("file:") ? decodeURIComponent(new URL(origin).pathname) : origin;
    const command = `deno test -A --filter ${quote(name)} ${quote(file)}`;
    await runSeeds(wantedSeeds() ?? seeds, run, (seed) => `${VARIABLE}=${seed} ${command}`);
  });
}

/**
 * Runs `run` for each seed, one after the other, until one fails: {@link simulate} for scripts and other test runners.
 *
 * @param replay the command that runs one seed alone
 * @throws {Error} with the seed, what failed, and how to replay it; the cause is what `run` threw
 */
export async function runSeeds(
  seeds: Seeds,
  run: (seed: number) => void | Promise<void>,
  replay: (seed: number) => string,
): Promise<void> {
  for (const seed of typeof seeds === "number" ? range(1, seeds) : seeds) {
    try {
      await run(seed);
    } catch (error) {
      throw new Error(`Seed ${seed} fails: ${errorText(error)}\nReplay it: ${replay(seed)}`, { cause: error });
    }
  }
}

/**
 * The seeds that a variable of the environment asks for: `17`, or `1-100000`.
 *
 * @throws {Error} when it holds something else
 */
export function parseSeeds(text: string): Iterable<number> {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (first === undefined) throw new Error(`Cannot read ${VARIABLE}: expected "17" or "1-1000", not "${text}"`);
  return range(Number(first), Number(last));
}

function wantedSeeds(): Iterable<number> | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: VARIABLE });
  const text = state === "granted" ? Deno.env.get(VARIABLE) : undefined;
  return text ? parseSeeds(text) : undefined;
}

function* range(first: number, last: number): Iterable<number> {
  for (let seed = first; seed <= last; seed++) yield seed;
}

function quote(text: string): string {
  return /^[\w./@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
