import assert from "node:assert/strict";
import { containStrayErrors } from "./stray_errors.ts";

/** Lets what was rejected or thrown be noticed. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("what nobody waits for is told with its place, and ends nothing", async () => {
  const told: string[] = [];
  using _contained = containStrayErrors((text) => told.push(text));
  void Promise.reject(new TypeError("left alone"));
  await turn();
  queueMicrotask(() => {
    throw new Error("thrown away");
  });
  await turn();
  void Promise.reject(Object.create(null));
  await turn();
  assert.equal(told.length, 3);
  assert.match(told[0], /^nobody waits for what failed: TypeError: left alone at .*stray_errors_test\.ts/);
  assert.match(told[1], /thrown away/);
  assert.equal(told[2], "nobody waits for what failed");
});

Deno.test("what fails without end is told a hundred times", async () => {
  let told = 0;
  using _contained = containStrayErrors(() => told++);
  for (let i = 0; i < 300; i++) void Promise.reject(new Error("again"));
  await turn();
  assert.equal(told, 100);
});
