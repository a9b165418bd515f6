import assert from "node:assert/strict";
import { eventually } from "./neighbourhood.ts";

Deno.test("eventually() gives the first value that fits", async () => {
  const values = [1, 2, 3];
  const value = await eventually("more than one", () => Promise.resolve(values.shift()!), (value) => value > 1);
  assert.equal(value, 2);
});

Deno.test("eventually() says what did not happen, and what it saw last", async () => {
  const look = (): Promise<number> => Promise.resolve(7);
  await assert.rejects(
    eventually("eight", look, (value) => value === 8, 1),
    /eight did not happen within 1 ms; now: 7/,
  );
});
