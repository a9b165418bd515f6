import assert from "node:assert/strict";
import type { PluginSnapshot } from "../../api/mod.ts";
import { pluginState } from "../text/plugin_text.ts";
import { inWorld, write } from "../test_world.ts";

const tcp: PluginSnapshot = {
  name: "tcp",
  use: "tcp",
  state: "running",
  isolate: "none",
  generation: 2,
  holds: 0,
  hooks: [
    { hook: "peers.dial", calls: 4, failures: 1, time: 10 },
    { hook: "peers.accept", calls: 0, failures: 0, time: 0 },
  ],
  lastError: "no\x1b[2J",
};

Deno.test("plugins lists the built-ins where nothing runs, and says so of a state that was named", () =>
  inWorld(async ({ done }) => {
    assert.match((await done("plugins")).out, /^built-in +what it does +needs\ntcp +Does what tcp does/);
    const { out } = await done("plugins", "--state", "other.db");
    assert.match(out, /^no Weft runs with this state \("\/home\/other\.db"\)\n\nbuilt-in/);
    const json = JSON.parse((await done("plugins", "--json")).out);
    assert.equal(json.running, null);
    assert.equal(json.builtins[1].name, "peers");
  }));

Deno.test("plugins shows the entries of a running Weft, and what each did for each hook", () =>
  inWorld(async (world) => {
    await write(world, "/home/weft.yaml", "plugins:\n  - use: tcp\n");
    const { simulation, weft, done, runtime, terminal, host } = world;
    const exit = weft("run", "weft.yaml");
    await simulation.run(100);
    runtime.plugins = [
      tcp,
      { ...tcp, name: "roster", use: "/home/roster.ts", state: "retiring", isolate: "worker", holds: 2, hooks: [] },
      { ...tcp, name: "dht", state: "quarantined", until: host.clock.wall() + 28_000, hooks: [] },
    ];
    // A mistake that is not yet mended keeps nobody from looking at what runs.
    await write(world, "/home/weft.yaml", "plugins:\n  - use: tpc\n  - use: ./gone.ts\nlimts: {}\n");
    const { out } = await done("plugins", "--hooks", "--profile", "weft.yaml");
    assert.match(
      out,
      /^entry +use +state +isolation +calls +failures +time +last error\ntcp +tcp +running +none +4 +1 +10 ms +no\ufffd\[2J$/m,
    );
    assert.match(out, /^roster +\/home\/roster\.ts +retiring with 2 holds +worker/m);
    assert.match(out, /^dht +tcp +quarantined for 28s more/m);
    assert.match(out, /^tcp +peers\.dial +4 +1 +2\.50 ms\ntcp +peers\.accept +0 +0 +-$/m);
    assert.match(out, /^built-in/m);
    assert.match((await done("status")).out, /^dht +quarantined for 28s more +0 +0/m);
    assert.equal(JSON.parse((await done("plugins", "--json")).out).running[0].hooks[0].calls, 4);
    terminal.signal("SIGINT");
    assert.equal(await simulation.complete(exit), 0);
  }));

Deno.test("plugins NAME shows one built-in, with an entry to copy into a profile", () =>
  inWorld(async ({ done, simulation }) => {
    await simulation.hold(import("yaml"));
    const { code, out } = await done("plugins", "peers");
    assert.equal(code, 0);
    assert.match(
      out,
      /^peers: Does what peers does\n\nneeds +nothing\nprovides +peers\.discover\n\nwith +what it is +default\npeers +a list +required\n\nIn a/,
    );
    assert.ok(
      out.endsWith("  plugins:\n    - use: peers\n      with:\n        peers:\n          - 192.0.2.7:6881\n"),
      out,
    );
    assert.match((await done("plugins", "tcp")).out, /^with +nothing\n\nIn a profile/m);
    assert.ok((await done("plugins", "tcp")).out.endsWith("  plugins:\n    - use: tcp\n"));
    const { code: refused, error } = await done("plugins", "pers");
    assert.deepEqual([refused, error], [2, 'weft: There is no built-in "pers", did you mean "peers"?\n']);
  }));

Deno.test("pluginState() never says that no time is left of a quarantine", () => {
  assert.equal(pluginState({ ...tcp, state: "quarantined", until: 1_000 }, 5_000), "quarantined for 1s more");
  assert.equal(pluginState({ ...tcp, state: "retiring", holds: 1 }, 0), "retiring with 1 hold");
});
