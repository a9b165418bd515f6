import assert from "node:assert/strict";
import { createSimulation, parseSeeds, runSeeds, simulate } from "./mod.ts";

const ran: number[] = [];
simulate("simulate() registers a test", [3, 5], (seed) => void ran.push(seed));

Deno.test("simulate() runs its body for each seed, in order", () => assert.deepEqual(ran, [3, 5]));

Deno.test("runSeeds() counts from 1, stops at the seed that fails, and says how to replay it", async () => {
  const seen: number[] = [];
  const cause = new Error("no luck");
  const run = async (seed: number): Promise<void> => {
    using simulation = createSimulation({ seed });
    await simulation.run(1);
    seen.push(simulation.seed);
    if (seed === 3) throw cause;
  };
  await assert.rejects(
    runSeeds(10, run, (seed) => `WEFT_SEED=${seed} deno test x_test.ts`),
    (error: Error) =>
      error.cause === cause &&
      error.message === "Seed 3 fails: no luck\nReplay it: WEFT_SEED=3 deno test x_test.ts",
  );
  assert.deepEqual(seen, [1, 2, 3]);
});

Deno.test("parseSeeds() takes one seed or a range, and refuses the rest", () => {
  assert.deepEqual([...parseSeeds("17")], [17]);
  assert.deepEqual([...parseSeeds("3-6")], [3, 4, 5, 6]);
  assert.throws(() => parseSeeds("all"), /Cannot read WEFT_SEED: expected "17" or "1-1000", not "all"/);
});

Deno.test("a failing seed of simulate() prints the command that replays it, and the command runs it alone", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/it's_test.ts`;
    const code = `import { simulate } from ${JSON.stringify(new URL("./simulate.ts", import.meta.url).href)};
      simulate("luck isn't all", 9, (seed) => {
        console.log("ran", seed);
        if (seed === 4) throw new Error("no luck");
      });`;
    await Deno.writeTextFile(file, code);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const test = async (command: string): Promise<string> => {
      const { stdout, stderr } = await new Deno.Command("sh", {
        args: ["-c", command.replace("deno test", `'${Deno.execPath()}' test --no-check --config '${config}'`)],
        env: { NO_COLOR: "1" },
        stdin: "null",
      }).output();
      return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    };
    const first = await test(`deno test -A ${folder}`);
    assert.match(first, /Seed 4 fails: no luck/);
    assert.deepEqual(first.match(/^ran \d/gm), ["ran 1", "ran 2", "ran 3", "ran 4"]);
    const command = first.match(/Replay it: (.*)/)?.[1];
    assert.ok(command?.startsWith("WEFT_SEED=4 deno test -A --filter 'luck isn'\\''t all' "), command);
    const again = await test(command!);
    assert.match(again, /Seed 4 fails: no luck/);
    assert.deepEqual(again.match(/^ran \d/gm), ["ran 4"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
