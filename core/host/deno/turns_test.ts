import assert from "node:assert/strict";
import { Turns } from "./turns.ts";

Deno.test("Turns lets so many run at once, and the others in order", async () => {
  const turns = new Turns(2);
  const began: number[] = [];
  const works = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const all = works.map(({ promise }, i) =>
    turns.take(() => {
      began.push(i);
      return promise;
    })
  );
  assert.deepEqual(began, [0, 1]);
  works[1].reject(new Error("no"));
  await assert.rejects(all[1], /no/);
  assert.deepEqual(began, [0, 1, 2]);
  for (const { resolve } of works) resolve();
  await Promise.allSettled(all);
  assert.deepEqual(began, [0, 1, 2, 3, 4]);
});
