// What the bus asks and tells the owners of registrations: who is barred, who is in use, who failed.
import assert from "node:assert/strict";
import { defineHook, type GatherStream } from "../api/hook.ts";
import { Bus } from "./bus.ts";
import { ManualClock, settle } from "./manual_clock.ts";
import { registerHandler, registerValue, type Registration } from "./registration.ts";
import { HookTable } from "./table.ts";
import { testOwner } from "./test_owner.ts";

const SKIP = { deadline: 1_000, onFailure: "skip" } as const;
const REFUSE = { deadline: 1_000, onFailure: "refuse" } as const;
const told = defineHook<string>()("event", "test.told", { onFailure: "skip" });
const toldStrictly = defineHook<string>()("event", "test.told_strictly", { onFailure: "refuse" });
const find = defineHook<string, string>()("gather", "test.find", SKIP);
const findStrictly = defineHook<string, string>()("gather", "test.find_strictly", REFUSE);
const ask = defineHook<string, string>()("first", "test.ask", SKIP);
const admit = defineHook<string, string>()("first", "test.admit", REFUSE);
const decorate = defineHook<string, string>()("around", "test.decorate", SKIP);
const encrypt = defineHook<string, string>()("around", "test.encrypt", REFUSE);
const tools = defineHook<string, number>()("keyed", "test.tools", SKIP);
const guards = defineHook<string, number>()("keyed", "test.guards", REFUSE);

const never = new AbortController().signal;
const stuck = (): Promise<never> => new Promise(() => {});
const inside = (x: string): Promise<string> => Promise.resolve(x);
const REASON = "it is quarantined for 30 s after 5 faults";
const refusal = (hook: string) => (error: Error) => {
  assert.equal(error.name, "PluginError");
  assert.equal(error.message, `Plugin "one" failed in ${hook}: ${REASON}`);
  return !("cause" in error);
};

/** Two owners, the first of them barred, and what each registers. */
function setUp(register: (owner: ReturnType<typeof testOwner>) => Registration) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const bus = new Bus({ clock, log: { warn: (message) => warnings.push(message) } });
  const [one, two] = [testOwner("one"), testOwner("two")];
  one.barred = REASON;
  bus.swap(HookTable.build([register(one), register(two)], 1));
  /** A barred plugin is blamed for nothing, called for nothing, and told of once by who barred it. */
  const unblamed = (): void => {
    assert.deepEqual([...one.failures, ...two.failures, ...warnings], []);
    assert.deepEqual([one.running, two.running, clock.pending], [0, 0, 0]);
    assert.ok(bus.stats().every(({ plugin, calls }) => plugin === "two" || calls === 0));
  };
  return { bus, clock, warnings, one, two, unblamed };
}

async function collect(round: AsyncGenerator<{ readonly plugin: string }, unknown>): Promise<string[]> {
  const plugins: string[] = [];
  for await (const { plugin } of round) plugins.push(plugin);
  return plugins;
}

for (const hook of [told, toldStrictly]) {
  Deno.test(`emit() skips a barred owner when the hook says ${hook.contract.onFailure}`, () => {
    const heard: string[] = [];
    const { bus, one, unblamed } = setUp((owner) => registerHandler(owner, hook, () => void heard.push(owner.name)));
    bus.emit(hook, "x");
    assert.deepEqual(heard, ["two"]);
    unblamed();
    one.barred = undefined;
    bus.emit(hook, "x");
    assert.deepEqual(heard, ["two", "one", "two"]);
  });
}

async function* source(): GatherStream<string> {
  yield "here";
}

Deno.test("gather() doesn't ask a barred owner", async () => {
  const { bus, one, unblamed } = setUp((owner) => registerHandler(owner, find, source));
  assert.deepEqual(await collect(bus.gather(find, "x", never)), ["two"]);
  unblamed();
  one.barred = undefined;
  assert.deepEqual(await collect(bus.gather(find, "x", never)), ["one", "two"]);
});

Deno.test("gather() rejects for a barred owner when the hook refuses, unless it wouldn't be asked", async () => {
  const { bus, unblamed } = setUp((owner) => registerHandler(owner, findStrictly, source));
  await assert.rejects(collect(bus.gather(findStrictly, "x", never)), refusal("test.find_strictly"));
  await settle();
  unblamed();
  assert.deepEqual(await collect(bus.gather(findStrictly, "x", never, (plugin) => plugin === "two")), ["two"]);
});

Deno.test("first() skips a barred owner when the hook skips", async () => {
  const { bus, one, unblamed } = setUp((owner) => registerHandler(owner, ask, () => owner.name));
  assert.equal(await bus.first(ask, "x", never), "two");
  unblamed();
  one.barred = undefined;
  assert.equal(await bus.first(ask, "x", never), "one");
});

Deno.test("first() rejects for a barred owner, at each call, when the hook refuses", async () => {
  const { bus, one, unblamed } = setUp((owner) => registerHandler(owner, admit, () => owner.name));
  for (let i = 0; i < 3; i++) await assert.rejects(bus.first(admit, "x", never), refusal("test.admit"));
  unblamed();
  one.barred = undefined;
  assert.equal(await bus.first(admit, "x", never), "one");
});

Deno.test("around() goes around a barred owner when the hook skips", async () => {
  const { bus, one, unblamed } = setUp((owner) =>
    registerHandler(owner, decorate, async (x, next) => `${owner.name}(${await next(x)})`)
  );
  assert.equal(await bus.around(decorate, "x", inside), "two(x)");
  unblamed();
  one.barred = undefined;
  assert.equal(await bus.around(decorate, "x", inside), "one(two(x))");
});

Deno.test("around() rejects for a barred owner when the hook refuses, and opens nothing", async () => {
  let opened = 0;
  const { bus, unblamed } = setUp((owner) => registerHandler(owner, encrypt, (x, next) => next(x)));
  await assert.rejects(bus.around(encrypt, "x", (x) => inside(x + ++opened)), refusal("test.encrypt"));
  assert.equal(opened, 0);
  unblamed();
});

Deno.test("around() doesn't blame who is outside for a barred owner inside", async () => {
  const { bus, one, two, unblamed } = setUp((owner) => registerHandler(owner, encrypt, (x, next) => next(x)));
  bus.swap(HookTable.build([...bus.table.entries].reverse(), 2));
  await assert.rejects(bus.around(encrypt, "x", inside), refusal("test.encrypt"));
  await settle();
  unblamed();
  [one.barred, two.barred] = [undefined, undefined];
  assert.equal(await bus.around(encrypt, "x", inside), "x");
});

for (const hook of [tools, guards]) {
  Deno.test(`get() and keys() don't show a barred owner's values when the hook says ${hook.contract.onFailure}`, () => {
    const { bus, one } = setUp((owner) => registerValue(owner, hook, owner.name, 1));
    assert.deepEqual([bus.get(hook, "one"), bus.get(hook, "two"), bus.values(hook).map(({ key }) => key)], [
      undefined,
      1,
      ["two"],
    ]);
    assert.deepEqual(bus.table.values(hook).map(({ plugin }) => plugin), ["one", "two"]);
    one.barred = undefined;
    assert.deepEqual([bus.get(hook, "one"), bus.values(hook).map(({ key }) => key)], [1, ["one", "two"]]);
  });
}

Deno.test("observers() is false when all that listen are barred", () => {
  const { bus, two } = setUp((owner) => registerHandler(owner, ask, () => undefined));
  assert.equal(bus.observers(ask), true);
  two.barred = REASON;
  assert.equal(bus.observers(ask), false);
});

Deno.test("observers() stays true for a barred owner when the hook refuses, so that nobody passes unasked", () => {
  const { bus, two } = setUp((owner) => registerHandler(owner, admit, () => undefined));
  two.barred = REASON;
  assert.equal(bus.observers(admit), true);
});

/** One owner at one hook. */
function alone(register: (owner: ReturnType<typeof testOwner>, clock: ManualClock) => Registration) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const bus = new Bus({ clock, log: { warn: (message) => warnings.push(message) } });
  const owner = testOwner("one");
  bus.swap(HookTable.build([register(owner, clock)], 1));
  return { bus, clock, warnings, owner };
}

Deno.test("an owner is in use until each handler of an event has settled", async () => {
  const ends: PromiseWithResolvers<void>[] = [];
  const { bus, owner } = alone((owner) =>
    registerHandler(owner, told, () => {
      assert.equal(owner.running, ends.length + 1);
      ends.push(Promise.withResolvers());
      return ends.at(-1)!.promise;
    })
  );
  bus.emit(told, "x");
  bus.emit(told, "y");
  assert.equal(owner.running, 2);
  ends[0].resolve();
  ends[1].reject(new Error("gone"));
  await settle();
  assert.equal(owner.running, 0);
});

Deno.test("an owner is no longer in use once a handler of an event returned or threw", () => {
  const { bus, owner } = alone((owner) =>
    registerHandler(owner, told, (x) => {
      if (x === "throw") throw new Error("gone");
    })
  );
  bus.emit(told, "return");
  bus.emit(told, "throw");
  assert.equal(owner.running, 0);
  assert.equal(owner.failures.length, 1);
});

Deno.test("an owner is in use until its deadline passed, and what fails after it is not counted again", async () => {
  const { bus, clock, owner, warnings } = alone((owner, clock) =>
    registerHandler(owner, ask, () => new Promise((_, reject) => clock.after(5_000, () => reject(new Error("late")))))
  );
  const answer = bus.first(ask, "x", never);
  await clock.advance(999);
  assert.equal(owner.running, 1);
  await clock.advance(1);
  assert.equal(await answer, undefined);
  assert.equal(owner.running, 0);
  await clock.advance(5_000);
  assert.deepEqual(warnings, ['Plugin "one" failed in test.ask: no answer within 1000 ms']);
  assert.equal(owner.failures.length, 1);
  assert.equal(bus.stats()[0].failures, 1);
  assert.equal(owner.running, 0);
});

Deno.test("a source that fails after its deadline is not counted again, while others go on", async () => {
  const { bus, clock, one, two } = setUp((owner) =>
    registerHandler(owner, find, async function* () {
      if (owner.name === "two") return yield* ["a", "b", "c"];
      await new Promise<void>((resolve) => clock.after(5_000, resolve));
      throw new Error("late");
    })
  );
  one.barred = undefined;
  const round = bus.gather(find, "x", never);
  assert.deepEqual((await round.next()).value, { plugin: "two", value: "a" });
  await clock.advance(10_000);
  assert.deepEqual(await collect(round), ["two", "two"]);
  assert.deepEqual(one.failures.map(({ cause }) => (cause as Error).message), ["no answer within 1000 ms"]);
  assert.deepEqual([one.running, two.running], [0, 0]);
});

Deno.test("a wrap that fails after its deadline is not counted again", async () => {
  const { bus, clock, owner } = alone((owner, clock) =>
    registerHandler(
      owner,
      decorate,
      () => new Promise((_, reject) => clock.after(5_000, () => reject(new Error("late")))),
    )
  );
  const wrapped = bus.around(decorate, "x", inside);
  await clock.advance(10_000);
  assert.equal(await wrapped, "x");
  assert.deepEqual(owner.failures.map(({ cause }) => (cause as Error).message), ["no answer within 1000 ms"]);
  assert.equal(owner.running, 0);
});

Deno.test("an owner is no longer in use, nor blamed, once the caller left", async () => {
  const { bus, owner } = alone((owner) => registerHandler(owner, ask, stuck));
  const leaving = new AbortController();
  const answer = bus.first(ask, "x", leaving.signal);
  await settle();
  assert.equal(owner.running, 1);
  leaving.abort(new Error("leaving"));
  await assert.rejects(answer, /leaving/);
  assert.deepEqual([owner.running, owner.failures.length], [0, 0]);
});

Deno.test("a source is in use for as long as its round, and no longer when its reader leaves", async () => {
  const { bus, owner } = alone((owner) =>
    registerHandler(owner, find, async function* () {
      yield "here";
      yield "there";
    })
  );
  for (const leaves of [false, true]) {
    const round = bus.gather(find, "x", never);
    await round.next();
    assert.equal(owner.running, 1);
    if (leaves) await round.return(new Map());
    else assert.equal((await collect(round)).length, 1);
    assert.equal(owner.running, 0);
  }
});

Deno.test("a call that waits for its turn keeps its owner in use, until it gives up", async () => {
  const single = defineHook<string, string>()("first", "test.single", { concurrency: 1, onFailure: "skip" });
  const { bus, owner } = alone((owner) => registerHandler(owner, single, stuck));
  const leaving = [new AbortController(), new AbortController()];
  const answers = leaving.map(({ signal }) => bus.first(single, "x", signal));
  await settle();
  assert.equal(owner.running, 2);
  leaving[1].abort(new Error("leaving"));
  await assert.rejects(answers[1], /leaving/);
  assert.equal(owner.running, 1);
  leaving[0].abort(new Error("leaving"));
  await assert.rejects(answers[0], /leaving/);
  assert.equal(owner.running, 0);
});

Deno.test("an owner that is barred while calls wait for their turn gets none of them", async () => {
  const single = defineHook<string, string>()("first", "test.single", { concurrency: 1, onFailure: "refuse" });
  const ends: ((answer: string) => void)[] = [];
  const { bus, owner } = alone((owner) => registerHandler(owner, single, () => new Promise((end) => ends.push(end))));
  const answers = ["x", "y", "z"].map((x) => bus.first(single, x, never));
  await settle();
  owner.barred = REASON;
  const refused = answers.slice(1).map((answer) => assert.rejects(answer, refusal("test.single")));
  ends[0]("first");
  assert.equal(await answers[0], "first");
  await Promise.all(refused);
  assert.deepEqual([owner.running, owner.failures.length, bus.stats()[0].calls], [0, 0, 1]);
  owner.barred = undefined;
  const next = bus.first(single, "x", never);
  await settle();
  ends[1]("next");
  assert.equal(await next, "next");
});

Deno.test("an owner is told of each failure with what was thrown, and the log of only a few a minute", async () => {
  const { bus, clock, owner, warnings } = alone((owner) =>
    registerHandler(owner, told, () => {
      throw new RangeError("no");
    })
  );
  for (let i = 0; i < 100; i++) bus.emit(told, "x");
  assert.equal(owner.failures.length, 100);
  assert.ok(owner.failures.every(({ cause }) => cause instanceof RangeError));
  assert.equal(bus.stats()[0].failures, 100);
  assert.equal(warnings.length, 6);
  await clock.advance(60_000);
  bus.emit(told, "x");
  assert.equal(warnings.length, 7);
});
