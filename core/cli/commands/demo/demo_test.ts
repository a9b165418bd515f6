import assert from "node:assert/strict";
import { loadedBuiltins as builtins } from "../../../../tests/support/loaded_builtins.ts";
import { createSimulation, MemoryTerminal } from "../../../host/memory/mod.ts";
import { startRuntime } from "../../../runtime/mod.ts";
import { main } from "../../mod.ts";

Deno.test("weft demo fetches the sample through a swarm and leaves nothing behind", async () => {
  using simulation = createSimulation({ seed: 3 });
  const host = simulation.host("here");
  const terminal = new MemoryTerminal();
  const code = await simulation.complete(
    main(["demo"], { host, terminal, builtins, start: startRuntime, version: "1", cwd: "/", temporary: "/tmp" }),
  );
  assert.equal(terminal.errors, "");
  assert.equal(code, 0);
  assert.equal(terminal.output.match(/bytes compared, identical/g)?.length, 3);
  assert.deepEqual(await simulation.complete(host.disk.list("/tmp")), []);
  assert.equal(simulation.pendingTimers, 0);
});
