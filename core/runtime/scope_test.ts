import assert from "node:assert/strict";
import { type ByteStream, type PluginNet, swarmAdded, type Transport, transports } from "../api/mod.ts";
import { createSimulation, type Simulation } from "../host/memory/mod.ts";
import { Scope } from "./scope.ts";

interface Bench {
  readonly simulation: Simulation;
  readonly scope: Scope;
  readonly log: string[];
  /** How often the registrations changed. */
  changes(): number;
}

function bench(changed: () => void = () => {}, before?: Scope): Bench {
  const simulation = createSimulation({ seed: 1 });
  const log: string[] = [];
  const line = (message: string): void => void log.push(message);
  let changes = 0;
  const scope = new Scope({
    name: "mine",
    config: { x: 1 },
    clock: simulation.clock,
    random: simulation.random,
    log: { debug: line, info: line, warn: line, error: line },
    swarms: [] as never,
    before,
    net: () => ({}) as PluginNet,
    udp: () => ({ [Symbol.dispose]() {} }) as never,
    state: {} as never,
    changed: () => {
      changes++;
      changed();
    },
  });
  return { simulation, scope, log, changes: () => changes };
}

const transport = {} as never;

Deno.test("what a plugin acquired is disposed of last first, each once", async () => {
  const { scope } = bench();
  const order: string[] = [];
  scope.defer(() => void order.push("first"));
  scope.use({ [Symbol.dispose]: () => void order.push("second") });
  scope.use({
    [Symbol.asyncDispose]: async () => {
      await Promise.resolve();
      order.push("third");
    },
  });
  scope.signal.addEventListener("abort", () => order.push("signal"));
  await scope[Symbol.asyncDispose]();
  await scope[Symbol.asyncDispose]();
  assert.deepEqual(order, ["signal", "third", "second", "first"]);
});

Deno.test("a cleanup that throws is logged, and the rest goes on", async () => {
  const { scope, log } = bench();
  let done = false;
  scope.defer(() => void (done = true));
  scope.defer(() => Promise.reject(new Error("stuck")));
  await scope[Symbol.asyncDispose]();
  assert.ok(done);
  assert.deepEqual(log, ["Cannot clean up: stuck"]);
});

Deno.test("a cleanup that never ends is given up, and the rest goes on", async () => {
  const { simulation, scope, log } = bench();
  const done: string[] = [];
  scope.defer(() => void done.push("first"));
  scope.defer(() => new Promise(() => {}));
  await simulation.complete(scope[Symbol.asyncDispose]());
  assert.deepEqual(done, ["first"]);
  assert.match(log.join("\n"), /Cannot clean up: it did not end within 5 s/);
});

Deno.test("handlers and values are registered until they are disposed of", () => {
  const { scope, changes } = bench();
  const handler = scope.on(swarmAdded, () => {});
  scope.provide(transports, "tcp", transport);
  assert.equal([...scope.registrations].length, 2);
  handler[Symbol.dispose]();
  handler[Symbol.dispose]();
  assert.equal([...scope.registrations].length, 1);
  assert.equal(changes(), 3);
});

Deno.test("a registration that is refused leaves nothing behind", () => {
  const { scope } = bench(() => {
    throw new Error("twice");
  });
  assert.throws(() => scope.provide(transports, "tcp", transport), /twice/);
  assert.equal([...scope.registrations].length, 0);
});

Deno.test("timers run in the entry's lifetime, and not after", async () => {
  const { simulation, scope } = bench();
  const fired: number[] = [];
  scope.clock.after(10, () => fired.push(10));
  scope.clock.after(20, () => fired.push(20)).cancel();
  scope.clock.after(30, () => fired.push(30));
  await simulation.run(15);
  await scope[Symbol.asyncDispose]();
  scope.clock.after(1, () => fired.push(1));
  assert.equal(simulation.pendingTimers, 0);
  await simulation.run(100);
  assert.deepEqual(fired, [10]);
});

Deno.test("a timer that throws or rejects is logged, and ends nothing", async () => {
  const { simulation, scope, log } = bench();
  scope.clock.after(1, () => {
    throw new Error("now");
  });
  scope.clock.after(2, (() => Promise.reject(new Error("later"))) as () => void);
  await simulation.run(10);
  assert.deepEqual(log, ["A timer failed: now", "A timer failed: later"]);
});

Deno.test("a retired entry acquires nothing", async () => {
  const { scope } = bench();
  await scope[Symbol.asyncDispose]();
  assert.throws(() => scope.on(swarmAdded, () => {}), /"mine" is retired/);
  let disposed = 0;
  assert.throws(() => scope.use({ [Symbol.dispose]: () => void disposed++ }), /the entry is retired/);
  assert.equal(disposed, 1, "what came too late is let go of");
});

Deno.test("a retired entry is disposed of when nothing that it gave is in use", async () => {
  const { simulation, scope } = bench();
  const first = scope.hold();
  const second = scope.hold();
  const over = scope.retire(60_000);
  assert.throws(() => scope.on(swarmAdded, () => {}), /"mine" is retired/);
  let fired = 0;
  scope.clock.after(10, () => fired++);
  await simulation.run(20);
  assert.equal(fired, 1, "its timers run while it drains");
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(scope.holds, 1);
  assert.equal(scope.signal.aborted, false);
  second[Symbol.dispose]();
  await simulation.complete(over);
  assert.ok(scope.signal.aborted);
  assert.equal(simulation.pendingTimers, 0);
});

Deno.test("a retired entry that stays in use ends with its drain", async () => {
  const { simulation, scope } = bench();
  scope.hold();
  scope.callBegan();
  const over = scope.retire(60_000);
  await simulation.run(59_000);
  assert.equal(scope.signal.aborted, false);
  await simulation.run(2_000);
  assert.ok(scope.signal.aborted);
  await over;
});

Deno.test("streams of a transport that it provides keep an entry in use until they close", async () => {
  const { simulation, scope } = bench();
  const closed: unknown[] = [];
  const stream = { close: (reason?: Error) => void closed.push(reason?.message) } as unknown as ByteStream;
  scope.provide(transports, "tcp", { dial: () => Promise.resolve(stream), listen: () => Promise.reject(new Error()) });
  const [registration] = scope.registrations;
  const dialed = await (registration.value as Transport).dial({} as never, new AbortController().signal);
  assert.equal(scope.holds, 1);
  const over = scope.retire(60_000);
  dialed.close(new Error("done"));
  dialed.close();
  await simulation.complete(over);
  assert.deepEqual(closed, ["done", undefined]);
});

Deno.test("carry() gives what the generation before saved, of the same version, as a copy", async () => {
  const before = bench();
  const kept = { nodes: [1] };
  assert.equal(before.scope.carry("nodes", 1, () => kept), undefined);
  before.scope.carry("broken", 1, () => {
    throw new Error("no");
  });
  const next = bench(undefined, before.scope);
  const carried = next.scope.carry("nodes", 1, () => kept);
  assert.deepEqual(carried, kept);
  assert.notEqual(carried, kept);
  assert.equal(next.scope.carry("nodes", 2, () => kept), undefined);
  assert.equal(next.scope.carry("other", 1, () => kept), undefined);
  assert.equal(next.scope.carry("broken", 1, () => kept), undefined);
  assert.deepEqual(next.log, ['Cannot carry "broken" over: no']);
  next.scope.committed();
  assert.equal(next.scope.carry("nodes", 1, () => kept), undefined);
  await before.scope[Symbol.asyncDispose]();
});
