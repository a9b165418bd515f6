import assert from "node:assert/strict";
import {
  admitPeers,
  type ConfigNode,
  dialPeer,
  discoverPeers,
  duration,
  InfoHash,
  object,
  path,
  peerAddress,
  peerConnected,
  type Plugin,
  type PluginRequest,
  resolveMetadata,
  swarmAdded,
  torrentId,
  transports,
} from "../api/mod.ts";
import { ManualClock, settle } from "../bus/manual_clock.ts";
import { decodeValue } from "../api/schema.ts";
import { sandboxPlugin } from "./sandbox.ts";
import { FakeIsolates, pluginNamed } from "./test_isolates.ts";
import { TestScope } from "./test_scope.ts";

const id = torrentId({ v1: InfoHash.parse("ab".repeat(20)) });
const url = "file:///plugins/mine.ts";
const live = (): AbortSignal => new AbortController().signal;

/** A plugin in a sandbox, not set up yet. */
async function isolated(plugin: unknown, request: Partial<PluginRequest> = {}) {
  const clock = new ManualClock();
  const isolates = new FakeIsolates(clock, { [url]: plugin });
  const sandboxed = await sandboxPlugin({
    url,
    files: ["/plugins/mine.ts", "/plugins/lib/part.ts", "/shared/other.ts"],
    version: "1",
    host: { clock, isolates },
    request: {
      use: url,
      isolate: "worker",
      permissions: {},
      memory: 2 ** 28,
      config: {},
      baseDir: "/base",
      ...request,
    },
  });
  return { plugin: sandboxed, isolates, clock, scope: new TestScope(clock) };
}

/** A plugin in a sandbox, set up. */
async function running(setup: Plugin["setup"], request: Partial<PluginRequest> = {}) {
  const world = await isolated(pluginNamed("mine", { setup }), request);
  await world.plugin.setup(world.scope);
  return { ...world, guest: world.isolates.started[1] };
}

Deno.test("a plugin tells what it is, and the isolate that asked is gone", async () => {
  const { plugin, isolates } = await isolated(
    pluginNamed("mine", { summary: "Finds peers", needs: ["transports"], provides: ["x"], example: { a: 1 } }),
  );
  const { name, summary, needs, provides, example } = plugin;
  assert.deepEqual([name, summary, needs, provides, example], ["mine", "Finds peers", ["transports"], ["x"], { a: 1 }]);
  assert.equal(plugin.egress, undefined);
  assert.equal(isolates.started.length, 1);
  assert.equal(isolates.running, 0);
});

Deno.test("what is no plugin, or does not load, is named", async () => {
  await assert.rejects(isolated({ setup() {} }), /it exports a plugin without `name`/);
  await assert.rejects(isolated({}, { isolate: "none" }), /isolate: none/);
  const clock = new ManualClock();
  const request = { use: url, isolate: "worker", permissions: {}, memory: 1, config: {}, baseDir: "/" } as const;
  await assert.rejects(
    sandboxPlugin({ url, files: [], version: "1", host: { clock, isolates: new FakeIsolates(clock, {}) }, request }),
    /it does not load in its sandbox: Module not found/,
  );
  await assert.rejects(
    sandboxPlugin({ url, files: [], version: "1", host: { clock }, request }),
    /nothing can be isolated/,
  );
});

Deno.test("mistakes in with come with their place in the profile", async () => {
  const config = object({ every: duration({ default: "5m", min: "30s" }), file: path() });
  const { plugin } = await isolated(pluginNamed("mine", { config }), { config: { every: "1s", evry: 1 } });
  const problems: string[] = [];
  const node = (value: unknown, at: string): ConfigNode => ({
    value,
    path: at,
    at: (key) => node(undefined, `${at}.${key}`),
    problem: (message, key) => void problems.push(`${key === undefined ? at : `${at}.${key}`}: ${message}`),
  });
  plugin.config.decode(node({}, "plugins[3].with"));
  assert.deepEqual(problems, [
    'plugins[3].with.evry: unknown key "evry" in plugins[3].with, did you mean "every"?',
    'plugins[3].with.every: plugins[3].with.every must be at least 30s, current value is "1s"',
    'plugins[3].with: missing key "file" in plugins[3].with; it expects a path',
  ]);
});

Deno.test("with is decoded by the plugin's own schema where it runs, relative to the profile", async () => {
  const seen: unknown[] = [];
  const config = object({ every: duration({ default: "5m" }), file: path() });
  const setup: Plugin["setup"] = (scope) => void seen.push(scope.config);
  const { plugin, scope } = await isolated(pluginNamed("mine", { config, setup }), { config: { file: "a.txt" } });
  assert.deepEqual(decodeValue(plugin.config, { file: "a.txt" }), { file: "a.txt" });
  await plugin.setup(scope);
  assert.deepEqual(seen, [{ every: 300_000, file: "/base/a.txt" }]);
});

Deno.test("a plugin may read its own folder, not those of what it imports", async () => {
  const codes: (readonly string[])[] = [];
  const clock = new ManualClock();
  const isolates = new FakeIsolates(clock, { [url]: pluginNamed("mine") });
  const start = isolates.start.bind(isolates);
  isolates.start = (options) => (codes.push(options.code), start(options));
  const request = { use: url, isolate: "worker", permissions: {}, memory: 1, config: {}, baseDir: "/" } as const;
  await sandboxPlugin({
    url,
    files: ["/p/a.ts", "/p/lib/b.ts", "/q/c.ts"],
    version: "1",
    host: { clock, isolates },
    request,
  });
  assert.deepEqual(codes, [["/plugins"]]);
});

Deno.test("gather: candidates cross one by one, and again with them", async () => {
  const { scope } = await running((plugin) =>
    void plugin.on(discoverPeers, async function* ({ wanted, id }) {
      assert.equal(id.hex, "ab".repeat(20));
      for (let port = 1; port <= wanted; port++) yield { address: peerAddress("192.0.2.1", port) };
      return { again: 60_000 };
    })
  );
  const stream = scope.handler(discoverPeers)({ id, wanted: 3, port: 0 }, live());
  const ports: number[] = [];
  const again = await collect(stream, (value) => ports.push(value.address.port), scope.clock as ManualClock);
  assert.deepEqual(ports, [1, 2, 3]);
  assert.deepEqual(again, { again: 60_000 });
});

Deno.test("gather: a source runs no more than 64 values ahead of its reader, however much it has", async () => {
  let yielded = 0;
  const { scope, clock } = await running((plugin) =>
    void plugin.on(discoverPeers, async function* () {
      for (;; yielded++) yield { address: peerAddress("192.0.2.1", 1 + yielded) };
    })
  );
  const stream = scope.handler(discoverPeers)({ id, wanted: 3, port: 0 }, live());
  const first = stream.next();
  await clock.advance(0);
  await first;
  await clock.advance(10);
  assert.equal(yielded, 63);
  for (let i = 1; i < 200; i++) {
    const next = stream.next();
    await clock.advance(0);
    assert.equal((await next).done, false);
  }
  assert.ok(yielded < 200 + 64);
  await stream.return(undefined);
});

Deno.test("gather: an abort reaches the source", async () => {
  let aborted = false;
  const { scope, clock } = await running((plugin) =>
    // deno-lint-ignore require-yield
    void plugin.on(discoverPeers, async function* (_, signal) {
      signal.addEventListener("abort", () => aborted = true);
      await new Promise(() => {});
    })
  );
  const caller = new AbortController();
  const next = scope.handler(discoverPeers)({ id, wanted: 1, port: 0 }, caller.signal).next();
  await settle();
  caller.abort(new Error("enough"));
  await assert.rejects(next, /enough/);
  await clock.advance(0);
  assert.ok(aborted);
});

Deno.test("gather: who asks while too many calls are under way is told to ask again", async () => {
  const { scope } = await running((plugin) =>
    // deno-lint-ignore require-yield -- it has nothing to give
    void plugin.on(discoverPeers, async function* (_, signal) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    })
  );
  const controller = new AbortController();
  const ask = () => scope.handler(discoverPeers)({ id, wanted: 5, port: 6881 }, controller.signal).next();
  const waiting = Array.from({ length: 256 }, () => ask().catch(() => {}));
  assert.deepEqual(await ask(), { done: true, value: { again: 30_000 } });
  controller.abort();
  await Promise.all(waiting);
});

Deno.test("first, every: answers cross, and so does their absence", async () => {
  const { scope } = await running((plugin) => {
    plugin.on(admitPeers, ({ addresses }) => addresses.map(({ port }) => port > 5));
    plugin.on(resolveMetadata, () => undefined);
  });
  const addresses = [peerAddress("192.0.2.1", 1), peerAddress("192.0.2.1", 9)];
  assert.deepEqual(
    await scope.handler(admitPeers)({ stage: "candidate", id, private: false, source: "x", addresses }, live()),
    [
      false,
      true,
    ],
  );
  assert.equal(await scope.handler(resolveMetadata)({ id }, live()), undefined);
});

Deno.test("first: metadata crosses as bytes", async () => {
  const { scope } = await running((plugin) => void plugin.on(resolveMetadata, () => new Uint8Array([1, 2, 3])));
  assert.deepEqual(await scope.handler(resolveMetadata)({ id }, live()), new Uint8Array([1, 2, 3]));
});

Deno.test("a handler that throws fails its call with what it threw", async () => {
  const { scope } = await running((plugin) =>
    void plugin.on(admitPeers, () => {
      throw new Error("no idea");
    })
  );
  await assert.rejects(
    async () =>
      await scope.handler(admitPeers)({ stage: "candidate", id, private: false, source: "x", addresses: [] }, live()),
    /no idea/,
  );
});

Deno.test("event: told, and dropped and counted when the plugin is too slow", async () => {
  let told = 0;
  const { scope } = await running((plugin) =>
    void plugin.on(peerConnected, async () => {
      told++;
      await new Promise(() => {});
    })
  );
  const event = {
    id,
    name: "x",
    private: false,
    address: peerAddress("192.0.2.1", 1),
    incoming: true,
    transport: "tcp",
  };
  for (let i = 0; i < 300; i++) void scope.handler(peerConnected)(event);
  await settle();
  assert.equal(told, 256);
  assert.deepEqual(scope.lines, ["warn it is too slow: 1 events were left out"]);
});

Deno.test("hooks that hand out live objects say that they can't cross", async () => {
  const failing = (setup: Plugin["setup"]) => running(setup);
  await assert.rejects(
    failing((plugin) => void plugin.on(dialPeer, (request, next) => next(request))),
    /Cannot attach to peers\.dial from a sandbox: it hands out live objects, which can't cross; remove "isolate"/,
  );
  await assert.rejects(
    failing((plugin) => void plugin.provide(transports, "carrier", {} as never)),
    /Cannot provide "carrier" for transports from a sandbox/,
  );
});

Deno.test("setup that throws fails the setup, and nothing runs on", async () => {
  const world = await isolated(pluginNamed("mine", {
    setup() {
      throw new Error("no luck");
    },
  }));
  await assert.rejects(async () => await world.plugin.setup(world.scope), /no luck/);
  assert.equal(world.isolates.running, 0);
});

Deno.test("retiring aborts the plugin's signal, runs what it deferred, and ends it", async () => {
  const told: string[] = [];
  const { scope, isolates } = await running((plugin) => {
    plugin.signal.addEventListener("abort", () => told.push("aborted"));
    plugin.defer(() => void told.push("first"));
    plugin.use({ [Symbol.dispose]: () => void told.push("second") });
  });
  await scope.retire();
  assert.deepEqual(told, ["aborted", "second", "first"]);
  assert.equal(isolates.running, 0);
});

Deno.test("the log of a plugin is stamped by Weft, and a flood of lines is left out", async () => {
  const { scope, clock } = await running((plugin) => {
    plugin.clock.after(10, () => {
      for (let i = 0; i < 1_000; i++) plugin.log.info(`line ${i}`);
    });
    plugin.clock.after(1_000, () => plugin.log.warn("later"));
  });
  await clock.advance(1_000);
  assert.equal(scope.lines.length, 102);
  assert.deepEqual(scope.lines.slice(-2), ["warn left out 900 lines, for it writes too many", "warn later"]);
});

Deno.test("swarms are a live view", async () => {
  let seen: string[] = [];
  const { scope, clock } = await running((plugin) => {
    const look = (): void => {
      seen = [...plugin.swarms].map(({ name, seeding }) => `${name} ${seeding}`);
      plugin.clock.after(500, look);
    };
    look();
  });
  scope.known.push({ id, name: "a", seeding: false, nodes: [] });
  await clock.advance(2_000);
  assert.deepEqual(seen, ["a false"]);
  scope.known.splice(0, 1, { id, name: "a", seeding: true, nodes: [] });
  await clock.advance(2_000);
  assert.deepEqual(seen, ["a true"]);
  scope.known.length = 0;
  await clock.advance(2_000);
  assert.deepEqual(seen, []);
});

Deno.test("what a plugin carries goes to its next generation", async () => {
  let count = 0;
  const setup: Plugin["setup"] = (plugin) => {
    count = plugin.carry("count", 1, () => count + 1) ?? 0;
  };
  const first = await running(setup);
  await first.clock.advance(1_000);
  const second = await isolated(pluginNamed("mine", { setup }));
  second.scope.before = first.scope.save!();
  await second.plugin.setup(second.scope);
  assert.equal(count, 1);
});

Deno.test("what a plugin keeps is kept by Weft", async () => {
  let kept: Uint8Array | undefined;
  const { scope } = await running(async (plugin) => {
    assert.equal(await plugin.state.get("a"), undefined);
    await plugin.state.set("a", new Uint8Array([1, 2]));
    kept = await plugin.state.get("a");
    await assert.rejects(plugin.state.set("b", new Uint8Array(11)), /more than 10 bytes/);
  });
  assert.deepEqual(kept, new Uint8Array([1, 2]));
  assert.deepEqual([...scope.stored.keys()], ["a"]);
});

Deno.test("holds hold the entry, until released or the plugin ends", async () => {
  const { scope, guest } = await running((plugin) => {
    plugin.hold()[Symbol.dispose]();
    plugin.hold();
  });
  assert.equal(scope.holds, 1);
  guest.die("its time came");
  assert.equal(scope.holds, 0);
});

Deno.test("a handler that is detached is asked no more", async () => {
  let detach: Disposable | undefined;
  const { scope } = await running((plugin) => {
    detach = plugin.on(swarmAdded, () => {});
  });
  assert.equal(scope.handlers.length, 1);
  detach![Symbol.dispose]();
  await settle();
  assert.equal(scope.handlers.length, 0);
});

/** Reads a stream to its end while time goes on. */
async function collect<T, R>(
  stream: AsyncGenerator<T, R, unknown>,
  take: (value: T) => void,
  clock: ManualClock,
): Promise<R> {
  for (;;) {
    const next = stream.next();
    await clock.advance(0);
    const step = await next;
    if (step.done) return step.value;
    take(step.value);
  }
}
