import assert from "node:assert/strict";
import { admitPeers, discoverPeers, InfoHash, peerAddress, type Plugin, torrentId } from "../api/mod.ts";
import { ManualClock, settle } from "../bus/manual_clock.ts";
import { sandboxPlugin } from "./sandbox.ts";
import { type FakeIsolate, FakeIsolates, pluginNamed } from "./test_isolates.ts";
import { TestScope } from "./test_scope.ts";

const id = torrentId({ v1: InfoHash.parse("ab".repeat(20)) });
const url = "file:///plugins/mine.ts";

/** An isolated plugin, in simulated time. */
async function running(setup: Plugin["setup"], net?: readonly string[] | true) {
  const clock = new ManualClock();
  const isolates = new FakeIsolates(clock, { [url]: pluginNamed("mine", { setup }) });
  const request = { use: url, isolate: "worker", permissions: { net }, memory: 1, config: {}, baseDir: "/" } as const;
  const plugin = await sandboxPlugin({ url, files: [], version: "1", host: { clock, isolates }, request });
  const scope = new TestScope(clock);
  await plugin.setup(scope);
  const current = (): FakeIsolate => isolates.started.at(-1)!;
  const admit = async (): Promise<unknown> =>
    await scope.handler(admitPeers)(
      { stage: "candidate", id, private: false, source: "x", addresses: [] },
      new AbortController().signal,
    );
  return { clock, isolates, scope, current, admit };
}

const filter: Plugin["setup"] = (plugin) => void plugin.on(admitPeers, () => []);

Deno.test("a plugin that answers pings runs on", async () => {
  const { clock, isolates } = await running(filter);
  await clock.advance(60_000);
  assert.equal(isolates.started.length, 2);
  assert.equal(isolates.running, 1);
});

Deno.test("a plugin that hangs is ended within 5 seconds, fails what waits for it, and is started again", async () => {
  const { clock, isolates, scope, current, admit } = await running(filter);
  await clock.advance(500);
  current().hangs = true;
  const waiting = admit();
  waiting.catch(() => {});
  await clock.advance(5_000 - 500);
  assert.equal(isolates.started[1].alive, false);
  await assert.rejects(waiting, /it did not answer for 3s/);
  assert.deepEqual(scope.lines, ["error it ended: it did not answer for 3s; it is started again after 1s"]);
  await clock.advance(1_000);
  assert.equal(isolates.running, 1);
  assert.deepEqual(await admit(), []);
  assert.equal(scope.handlers.length, 1);
});

Deno.test("a plugin that hangs where it can't be ended stays down", async () => {
  const { clock, isolates, scope, current, admit } = await running(filter);
  Object.assign(current(), { hangs: true, stuck: true });
  await clock.advance(10 * 60_000);
  assert.equal(isolates.running, 0);
  assert.equal(isolates.started.length, 2);
  assert.deepEqual(scope.lines, [
    "error it ended: it did not answer for 3s; it is started again after 1s",
    "error it hangs where its thread can't be ended, and stays down until its code or its entry changes " +
    '("isolate: process" can be ended)',
  ]);
  await assert.rejects(admit(), /Cannot ask it: it hangs where its thread can't be ended/);
});

Deno.test("while a plugin is down its calls fail, and say why", async () => {
  const { current, admit } = await running(filter);
  current().die("its process ended with code 1");
  await assert.rejects(admit(), /Cannot ask it: it ended: its process ended with code 1; it is started again after 1s/);
});

Deno.test("pauses grow to a minute, and begin anew after it ran well", async () => {
  const { clock, scope, current } = await running(filter);
  const pauses: string[] = [];
  for (let i = 0; i < 8; i++) {
    current().die("bad luck");
    pauses.push(/after (.*)$/.exec(scope.lines.at(-1)!)![1]);
    await clock.advance(60_000);
  }
  assert.deepEqual(pauses, ["1s", "2s", "4s", "8s", "16s", "32s", "1m", "1m"]);
  await clock.advance(61_000);
  current().die("bad luck");
  assert.match(scope.lines.at(-1)!, /after 1s$/);
});

Deno.test("handlers that a plugin no longer attaches when it starts again are gone", async () => {
  let runs = 0;
  const { clock, scope, current } = await running((plugin) => {
    plugin.on(admitPeers, () => []);
    if (runs++ === 0) plugin.on(admitPeers, () => undefined);
  });
  assert.equal(scope.handlers.length, 2);
  current().die("bad luck");
  assert.equal(scope.handlers.length, 2); // a filter keeps refusing while it is down
  await clock.advance(1_000);
  assert.equal(scope.handlers.length, 1);
});

Deno.test("a plugin whose setup fails when it starts again is tried again", async () => {
  let runs = 0;
  const { clock, scope, current, admit } = await running((plugin) => {
    if (runs++ === 1) throw new Error("the disk is away");
    plugin.on(admitPeers, () => []);
  });
  current().die("bad luck");
  await clock.advance(1_000);
  assert.match(scope.lines.at(-1)!, /it ended: the disk is away; it is started again after 2s/);
  await clock.advance(2_000);
  assert.deepEqual(await admit(), []);
});

Deno.test("a retired plugin is not started again", async () => {
  const { clock, isolates, scope, current } = await running(filter);
  current().die("bad luck");
  await scope.retire();
  await clock.advance(120_000);
  assert.equal(isolates.running, 0);
  assert.equal(isolates.started.length, 2);
});

Deno.test("what breaks the rules ends a guest", async (t) => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const deep = JSON.parse("[".repeat(40) + "]".repeat(40));
  const cases: Record<string, [message: unknown, error: RegExp]> = {
    "no mapping": [5, /a message must be a mapping/],
    "null": [null, /a message must be a mapping/],
    "an unknown word": [{ say: "exit" }, /unknown message "exit"/],
    "an answer to a call that never was": [{ say: "done", call: 999, value: [] }, /there is no call 999/],
    "values nobody asked for": [{ say: "values", call: 999, values: [] }, /there is no call 999/],
    "a call by another name": [{ say: "done", call: "1" }, /"call" must be a count/],
    "a negative call": [{ say: "done", call: -1 }, /"call" must be a count/],
    "a hook that is none": [{ say: "on", registration: 9, hook: "core.secrets@1" }, /there is no hook/],
    "a hook that does not cross": [{ say: "on", registration: 9, hook: "peers.dial@1" }, /there is no hook/],
    "a hook's name from the prototype": [{ say: "on", registration: 9, hook: "constructor" }, /there is no hook/],
    "a handler twice": [{ say: "on", registration: 1, hook: "peers.admit@1" }, /there is a handler 1 already/],
    "a description unasked": [{ say: "described", description: { name: "x", expects: "y", problems: [] } }, /unasked/],
    "an unknown log level": [{ say: "log", level: "fatal", message: "x" }, /unknown level "fatal"/],
    "a cycle": [{ say: "done", call: 0, value: cycle }, /more than 24 levels/],
    "a deep message": [{ say: "done", call: 0, value: deep }, /more than 24 levels/],
    "a prototype": [
      { say: "log", level: "info", message: "x", more: JSON.parse('{"__proto__":{"a":1}}') },
      /__proto__/,
    ],
    "a huge text": [{ say: "log", level: "info", message: "x".repeat(6e6) }, /more than 10485760 bytes/],
    "a huge byte array": [{ say: "done", call: 0, value: new Uint8Array(11e6) }, /more than 10485760 bytes/],
    "many values": [{ say: "done", call: 0, value: new Array(300_000).fill(0) }, /more than 200000 values/],
    "a list that claims to be long": [{ say: "done", call: 0, value: new Array(4e9) }, /more than 200000 values/],
    "a map": [{ say: "done", call: 0, value: new Map() }, /an object is no plain data/],
    "an error": [{ say: "failed", message: new Error("x") }, /an object is no plain data/],
    "a date": [{ say: "pong", ping: new Date(0) }, /an object is no plain data/],
    "a big integer": [{ say: "pong", ping: 1n }, /a bigint is no plain data/],
    "more than its credit": [{ say: "values", call: 1, values: new Array(65).fill(0) }, /must be a list of at most 64/],
  };
  for (const [name, [message, error]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const { scope, current } = await running(filter);
      const guest = current();
      guest.say(message);
      await settle();
      assert.equal(guest.alive, false);
      assert.equal(scope.lines.length, 1);
      assert.match(scope.lines[0], /it ended: it broke the rules of the sandbox: /);
      assert.match(scope.lines[0], error);
    });
  }
});

Deno.test("a flood of messages ends a guest", async () => {
  const { scope, current } = await running(filter);
  const guest = current();
  for (let i = 0; i < 3_000; i++) guest.say({ say: "release", hold: i });
  await settle();
  assert.match(scope.lines[0], /more than 2000 messages at once/);
});

Deno.test("a flood of long messages ends a guest sooner", async () => {
  const { scope, current } = await running(filter);
  const guest = current();
  for (let i = 0; i < 10; i++) guest.say({ say: "log", level: "info", message: "x".repeat(500_000) });
  await settle();
  assert.match(scope.lines.at(-1)!, /more than 2000 messages at once, .* counting 4096 bytes as one/);
});

Deno.test("more handlers or holds than any plugin needs end a guest", async () => {
  for (const message of [{ say: "on", hook: "swarm.added@1" }, { say: "hold" }]) {
    const { scope, current } = await running(filter);
    const guest = current();
    for (let i = 10; i < 90; i++) guest.say({ ...message, registration: i, hold: i });
    await settle();
    assert.match(scope.lines[0], /more than 64/);
  }
});

Deno.test("values past a gather's credit end a guest", async () => {
  const { scope, current } = await running((plugin) =>
    // deno-lint-ignore require-yield
    void plugin.on(discoverPeers, async function* () {
      await new Promise(() => {});
    })
  );
  const next = scope.handler(discoverPeers)({ id, wanted: 1, port: 0 }, new AbortController().signal).next();
  const values = new Array(40).fill({ address: "192.0.2.1:1" });
  const guest = current();
  await settle();
  // The first 40 fit; the reader takes one of them only.
  guest.say({ say: "values", call: 1, values });
  guest.say({ say: "values", call: 1, values });
  assert.equal((await next).done, false);
  await settle();
  assert.match(scope.lines[0], /more than 64 values ahead of their reader/);
});

Deno.test("an answer that comes after its call was left is nobody's fault", async () => {
  const { scope, current } = await running((plugin) => void plugin.on(admitPeers, () => new Promise(() => {})));
  const caller = new AbortController();
  const waiting = (async () =>
    await scope.handler(admitPeers)(
      { stage: "candidate", id, private: false, source: "x", addresses: [] },
      caller.signal,
    ))();
  await settle();
  caller.abort(new Error("too late"));
  await assert.rejects(waiting, /too late/);
  current().say({ say: "done", call: 1, value: [] });
  await settle();
  assert.equal(current().alive, true);
});

Deno.test("a candidate's source counts only where the entry grants it", async () => {
  const source: Plugin["setup"] = (plugin) =>
    void plugin.on(discoverPeers, async function* () {
      const address = peerAddress("10.0.0.1", 1);
      yield { address, namedBy: "127.0.0.1", source: "user", trusted: true };
      yield { address, namedBy: "10.0.0.9" };
    });
  const read = async (net?: readonly string[] | true): Promise<unknown[]> => {
    const { clock, scope } = await running(source, net);
    const stream = scope.handler(discoverPeers)({ id, wanted: 1, port: 0 }, new AbortController().signal);
    const values: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const next = stream.next();
      await clock.advance(0);
      values.push((await next).value);
    }
    return values;
  };
  const address = peerAddress("10.0.0.1", 1);
  assert.deepEqual(await read(), [{ address }, { address }]);
  assert.deepEqual(await read(["10.0.0.9:80"]), [{ address }, { address, namedBy: "10.0.0.9" }]);
  assert.deepEqual(await read(true), [{ address, namedBy: "127.0.0.1" }, { address, namedBy: "10.0.0.9" }]);
});
