/**
 * More silent connections than Weft has descriptors, to its tracker: 990 at a limit of 1,024, and 300 at one of 64. While
 * they are there, and after they have left, the tracker and the control socket must answer.
 *
 * `deno task hostile descriptors`
 *
 * @module
 */
import { startTracker } from "./tracker_process.ts";

// What an honest client waits for an answer beside them, and after them (ms).
const BOUND = 1_000;
const ASKED = 20;

let failed = false;
const tell = (what: string, value: number): void => {
  const bad = !(value <= BOUND);
  failed ||= bad;
  console.log(`  ${what.padEnd(44)} ${value.toFixed(1).padStart(8)} ms  (at most ${BOUND})${bad ? "  TOO SLOW" : ""}`);
};

for (const [limit, count] of [[1_024, 990], [64, 300]]) {
  console.log(`${count} silent connections at a limit of ${limit}`);
  await using weft = await startTracker(limit);
  const silent: Deno.Conn[] = [];
  const slowest = async (): Promise<number> => {
    let worst = 0;
    for (let i = 0; i < ASKED && worst < Infinity; i++) worst = Math.max(worst, await weft.ask());
    return worst;
  };
  tell("the tracker's slowest answer of 20, alone", await slowest());
  for (let i = 0; i < count; i++) silent.push(await Deno.connect({ hostname: "127.0.0.1", port: weft.port }));
  tell("beside them", await slowest());
  const control = await weft.status();
  console.log(`  weft status ${control ? "answers" : "FAILS"} beside them`);
  for (const connection of silent) connection.close();
  tell("after they have left", await slowest());
  const after = await weft.status();
  console.log(`  weft status ${after ? "answers" : "FAILS"} after they have left`);
  failed ||= !control || !after;
}
if (failed) Deno.exit(1);
