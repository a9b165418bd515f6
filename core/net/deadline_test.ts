import assert from "node:assert/strict";
import { createSimulation } from "../host/memory/mod.ts";
import { withDeadline } from "./deadline.ts";

Deno.test("withDeadline() gives what the work gives, or throws what it throws", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { clock } = simulation;
  assert.equal(await withDeadline(clock, 1_000, "it did not end", () => 3), 3);
  const fails = (): never => {
    throw new Error("no");
  };
  await assert.rejects(withDeadline(clock, 1_000, "it did not end", fails), /^Error: no$/);
  assert.equal(simulation.pendingTimers, 0);
});

Deno.test("withDeadline() gives up on what never settles", async () => {
  using simulation = createSimulation({ seed: 1 });
  const stuck = withDeadline(simulation.clock, 5_000, "it did not end", () => new Promise(() => {}));
  await assert.rejects(simulation.complete(stuck), /^Error: it did not end within 5 s$/);
});
