import assert from "node:assert/strict";
import { readCommand, trySeeds } from "./seed_runner.ts";

const names = ["utp", "mse"];

Deno.test("readCommand() takes all protocols and 100,000 seeds where none are named", () => {
  assert.deepEqual(readCommand([], names), { chosen: names, range: { from: 0, count: 100_000 } });
  const { chosen, range } = readCommand(["mse", "--from", "7", "--seeds", "3"], names);
  assert.deepEqual([chosen, range], [["mse"], { from: 7, count: 3 }]);
  assert.deepEqual(readCommand(["--seed", "17"], names).range, { from: 17, count: 1 });
});

Deno.test("readCommand() says what it can't read", () => {
  assert.throws(() => readCommand(["tcp"], names), /Cannot try "tcp": choose of utp, mse/);
  assert.throws(() => readCommand(["--seeds", "many"], names), /expected a whole number, not "many"/);
  assert.throws(() => readCommand(["--sed", "1"], names), TypeError);
});

Deno.test("a seed that fails is counted, and told with the command that replays it", async () => {
  const told: string[] = [];
  const run = (seed: number): string => {
    if (seed === 5) throw new Error("bytes are wrong");
    return seed % 2 ? "odd" : "even";
  };
  const { outcomes, faults } = await trySeeds({ name: "utp", run }, { from: 3, count: 4 }, (line) => told.push(line));
  assert.deepEqual([[...outcomes], faults], [[["odd", 1], ["even", 2]], 1]);
  assert.deepEqual(told, ["utp: seed 5: bytes are wrong", "  replay it: deno task seeds utp --seed 5"]);
});
