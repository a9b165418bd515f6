import assert from "node:assert/strict";
import { trySeed } from "./test_seeds.ts";

// `deno task seeds mse` tries as many as you like.
const SEEDS = 400;

Deno.test("connections that are cut, damaged or ended anywhere come to an end, with every byte in order or an error", async () => {
  const outcomes = new Map<string, number>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const { fault, whole } = await trySeed(seed).catch((cause) => {
      throw new Error(`seed ${seed}: ${cause.message}`, { cause });
    });
    const key = `${fault}, ${whole ? "whole" : "not"}`;
    outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
  }
  for (const fault of ["none", "end", "flip", "insert", "drop", "garbage"]) {
    assert.ok(outcomes.get(`${fault}, not`)! > 0, fault);
  }
  assert.ok(outcomes.get("none, whole")! > 0);
});
