import assert from "node:assert/strict";
import { createSimulation } from "../host/memory/mod.ts";
import { StallProbe } from "./stall_probe.ts";

Deno.test("StallProbe measures how late its timer came at worst", async () => {
  using simulation = createSimulation({ seed: 1 });
  let late = 0;
  const { clock } = simulation;
  const probe = new StallProbe({ ...clock, now: () => clock.now() + late });
  probe.begin();
  await simulation.run(50);
  late = 12.34; // the thread was busy for that long
  await simulation.run(5);
  await simulation.run(50);
  assert.equal(probe.stop(), 12.3);
  assert.equal(simulation.pendingTimers, 0);
});
