import assert from "node:assert/strict";
import { ConfigError, type PlanChange } from "../../api/mod.ts";
import { inWorld, type World, write } from "../test_world.ts";

const profile = "plugins:\n  - use: tcp\nswarms:\n  - add: ./data.torrent\n";
const changes: readonly PlanChange[] = [
  { action: "add", what: "plugin dht" },
  { action: "remove", what: "swarm debian\x1b.iso" },
  { action: "change", what: "limits.down", why: "10 MB/s to 5 MB/s" },
  { action: "replace", what: "plugin roster", why: "with.every: 5m to 10m" },
];
const lines = [
  "+ plugin dht",
  "- swarm debian\ufffd.iso",
  "~ limits.down: 10 MB/s to 5 MB/s",
  "replace plugin roster: with.every: 5m to 10m",
];

/** Runs a profile, then `body`, then ends it. */
async function whileRunning(
  body: (world: World, reloads: () => number) => Promise<void>,
  ...options: string[]
): Promise<void> {
  await inWorld(async (world) => {
    await write(world, "/home/weft.yaml", profile);
    const { simulation, weft, runtime, terminal } = world;
    const exit = weft("run", "weft.yaml", ...options);
    await simulation.run(1_000);
    runtime.calls.length = 0;
    await body(world, () => runtime.calls.filter(([command]) => command === "reload").length);
    terminal.signal("SIGTERM");
    assert.equal(await simulation.complete(exit), 0);
    assert.equal(simulation.pendingTimers, 0);
  });
}

Deno.test("SIGHUP and edits reload a running profile, and what changed is told", () =>
  whileRunning(async (world, reloads) => {
    const { simulation, terminal, runtime } = world;
    runtime.changes = changes;
    terminal.signal("SIGHUP");
    await simulation.run(100);
    assert.equal(reloads(), 1);
    assert.ok(terminal.output.endsWith(lines.map((line) => `reloaded: ${line}\n`).join("")), terminal.output);
    await write(world, "/home/weft.yaml", `${profile}limits: { down: 1 MB/s }\n`);
    await simulation.run(1_000);
    assert.equal(reloads(), 2);
    assert.equal((runtime.calls.at(-1)![1] as { limits: { down: number } }).limits.down, 1_000_000);
  }));

Deno.test("a SIGHUP that comes while Weft starts is heard when it runs", () =>
  inWorld(
    async (world) => {
      await write(world, "/home/weft.yaml", profile);
      const { simulation, weft, runtime, terminal } = world;
      const exit = weft("run", "weft.yaml", "--no-watch");
      await simulation.run(1_000);
      assert.equal(runtime.calls.filter(([command]) => command === "reload").length, 1);
      terminal.signal("SIGTERM");
      assert.equal(await simulation.complete(exit), 0);
    },
    undefined,
    (terminal) => terminal.signal("SIGHUP"),
  ));

Deno.test("--no-watch leaves edits alone until SIGHUP", () =>
  whileRunning(async (world, reloads) => {
    await write(world, "/home/weft.yaml", `${profile}limits: { down: 1 MB/s }\n`);
    await world.simulation.run(1_000);
    assert.equal(reloads(), 0);
    world.terminal.signal("SIGHUP");
    await world.simulation.run(100);
    assert.equal(reloads(), 1);
    assert.match(world.terminal.output, /reloaded: nothing changed\n$/);
  }, "--no-watch"));

Deno.test("a mistake is told with its place and changes nothing, and neither does a profile that vanished", () =>
  whileRunning(async (world, reloads) => {
    const { simulation, terminal, host } = world;
    await write(world, "/home/weft.yaml", "plugins:\n  - use: tpc\n");
    await simulation.run(1_000);
    assert.equal(
      terminal.errors,
      'weft.yaml:2:10: unknown plugin "tpc", did you mean "tcp"?\nweft: not reloaded; what ran goes on\n',
    );
    await simulation.complete(host.disk.remove("/home/weft.yaml"));
    await simulation.run(1_000);
    assert.match(terminal.errors, /weft: There is no profile "weft\.yaml"\nweft: not reloaded; what ran goes on\n$/);
    assert.equal(reloads(), 0);
  }));

Deno.test("--json tells a reload in a line, and a refused one too", () =>
  whileRunning(async ({ simulation, terminal, runtime }) => {
    runtime.changes = changes;
    terminal.signal("SIGHUP");
    await simulation.run(100);
    runtime.refusal = new ConfigError(["weft.yaml:1:1: no"]);
    terminal.signal("SIGHUP");
    await simulation.run(100);
    const told = terminal.output.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(told.filter(({ event }) => event === "reload"), [
      { event: "reload", changes },
      { event: "reload", problems: ["weft.yaml:1:1: no"] },
    ]);
    assert.match(terminal.errors, /^weft\.yaml:1:1: no$/m);
  }, "--json"));

Deno.test("weft reload prints what changed, and exits 2 with every problem when refused", () =>
  whileRunning(async ({ done, runtime }, reloads) => {
    assert.deepEqual((await done("reload")).out.split("\n").slice(-2), ["nothing changed", ""]);
    runtime.changes = changes;
    assert.ok((await done("reload", "--profile", "weft.yaml")).out.endsWith(lines.map((line) => `${line}\n`).join("")));
    assert.equal(reloads(), 2);
    runtime.refusal = new ConfigError(["weft.yaml:1:1: no", "weft.yaml:2:1: no"]);
    const { code, error } = await done("reload");
    assert.equal(code, 2);
    assert.match(error, /weft\.yaml:1:1: no\nweft\.yaml:2:1: no\n$/);
  }));

Deno.test("weft reload says that nothing runs, and of a process without a profile that it has none", () =>
  inWorld(async (world) => {
    const { simulation, done, weft, terminal, runtime } = world;
    const { code, error } = await done("reload");
    assert.equal(code, 1);
    assert.match(error, /^weft: No Weft runs with this state/);
    const magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567";
    const exit = weft("get", magnet, "--out", "got", "--state", "weft.db");
    await simulation.runUntil(() => runtime.swarms.size > 0);
    await simulation.run(100);
    assert.deepEqual(await done("reload").then(({ code, error }) => [code, error]), [
      1,
      "weft: this Weft runs no profile\n",
    ]);
    terminal.signal("SIGHUP");
    assert.equal(await simulation.complete(exit), 130, "SIGHUP interrupts where no profile is followed");
  }));

Deno.test("weft plan shows what a reload would change, and does nothing", () =>
  whileRunning(async (world, reloads) => {
    const { done, runtime } = world;
    await write(world, "/home/other.yaml", "plugins: []\n");
    assert.equal((await done("plan", "other.yaml")).out, "nothing would change\n");
    assert.deepEqual((runtime.calls.at(-1)![1] as { plugins: unknown }).plugins, []);
    runtime.changes = changes;
    assert.equal((await done("plan", "weft.yaml")).out, lines.map((line) => `${line}\n`).join(""));
    assert.deepEqual(JSON.parse((await done("plan", "weft.yaml", "--json")).out).running, true);
    runtime.refusal = new ConfigError(["/home/weft.yaml:1:1: store.state can't change"]);
    assert.deepEqual(await done("plan", "weft.yaml").then(({ code, error }) => [code, error]), [
      2,
      "/home/weft.yaml:1:1: store.state can't change\n",
    ]);
    assert.equal(reloads(), 0);
  }, "--no-watch"));

Deno.test("weft plan lists what would start where nothing runs, and every mistake", () =>
  inWorld(async (world) => {
    const magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=film";
    await write(world, "/home/weft.yaml", `plugins:\n  - use: tcp\nswarms:\n  - add: "${magnet}"\n`);
    const { out } = await world.done("plan", "weft.yaml");
    assert.equal(
      out,
      'no Weft runs with this state ("/home/weft.db"); "weft run" would start:\n+ plugin tcp\n+ swarm film\n',
    );
    assert.equal(JSON.parse((await world.done("plan", "weft.yaml", "--json")).out).running, false);
    await write(world, "/home/weft.yaml", profile);
    assert.match((await world.done("plan", "weft.yaml")).error, /^weft\.yaml:4:5: cannot add "\/home\/data\.torrent"/);
    await write(world, "/home/weft.yaml", "plugins:\n  - use: tpc\n");
    const { code, error } = await world.done("plan", "weft.yaml");
    assert.equal(code, 2);
    assert.match(error, /^weft\.yaml:2:10: unknown plugin/);
    await write(world, "/home/weft.yaml", "plugins:\n  - use: needy\n");
    assert.match((await world.done("plan", "weft.yaml")).error, /^weft\.yaml:2:5: cannot start "needy": it needs/);
  }));
