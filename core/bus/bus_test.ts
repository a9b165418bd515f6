import assert from "node:assert/strict";
import type { PluginError } from "../api/errors.ts";
import { defineHook, type Handler, type Verb } from "../api/hook.ts";
import type { Hook } from "../api/hook.ts";
import { Bus } from "./bus.ts";
import { ManualClock, settle } from "./manual_clock.ts";
import { registerHandler, registerValue } from "./registration.ts";
import { HookTable } from "./table.ts";
import { type TestOwner, testOwner } from "./test_owner.ts";

const greeted = defineHook<string>()("event", "test.greeted", { onFailure: "skip" });
const answer = defineHook<string, string>()("first", "test.answer", { deadline: 1_000, onFailure: "skip" });
const admit = defineHook<string, boolean>()("first", "test.admit", { deadline: 1_000, onFailure: "refuse" });
const agree = defineHook<string, boolean>()("every", "test.agree", {
  deadline: 1_000,
  onFailure: "refuse",
  problem: (flag) => typeof flag === "boolean" ? undefined : "it answered no flag",
});
const open = defineHook<string, string>()("around", "test.open", { deadline: 1_000, onFailure: "refuse" });
const decorate = defineHook<string, string>()("around", "test.decorate", { deadline: 1_000, onFailure: "skip" });
const tools = defineHook<string, number>()("keyed", "test.tools", { onFailure: "skip" });

const never = new AbortController().signal;
const stuck = (): Promise<never> => new Promise(() => {});

function setUp() {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const failures: PluginError[] = [];
  const bus = new Bus({ clock, log: { warn: (message) => warnings.push(message) } });
  const attach = <V extends Exclude<Verb, "keyed">, In, Out>(
    plugin: string,
    hook: Hook<V, In, Out>,
    handler: NoInfer<Handler<V, In, Out>>,
  ): TestOwner => {
    const { entries, generation } = bus.table;
    const owner = testOwner(plugin, failures);
    bus.swap(HookTable.build([...entries, registerHandler(owner, hook, handler)], generation + 1));
    return owner;
  };
  return { bus, clock, warnings, failures, attach };
}

Deno.test("emit() tells every handler, and logs throws and rejections with plugin and hook", async () => {
  const { bus, warnings, failures, attach } = setUp();
  const told: string[] = [];
  attach("throws", greeted, () => {
    throw new Error("no voice");
  });
  attach("rejects", greeted, () => Promise.reject(new Error("too late")));
  attach("hears", greeted, (name) => void told.push(name));
  bus.emit(greeted, "Ada");
  assert.deepEqual(told, ["Ada"]);
  await settle();
  assert.deepEqual(warnings, [
    'Plugin "throws" failed in test.greeted: no voice',
    'Plugin "rejects" failed in test.greeted: too late',
  ]);
  assert.deepEqual(failures.map(({ plugin, hook, cause }) => [plugin, hook, (cause as Error).message]), [
    ["throws", "test.greeted", "no voice"],
    ["rejects", "test.greeted", "too late"],
  ]);
});

Deno.test("observers() says whether anybody listens", () => {
  const { bus, attach } = setUp();
  assert.equal(bus.observers(greeted), false);
  attach("one", greeted, () => {});
  assert.equal(bus.observers(greeted), true);
});

Deno.test("emit() keeps an event's concurrency and deadline", async () => {
  const { bus, clock, warnings, attach } = setUp();
  const slow = defineHook<number>()("event", "test.slow", { deadline: 100, concurrency: 1, onFailure: "skip" });
  const told: number[] = [];
  attach("one", slow, (n) => {
    told.push(n);
    return stuck();
  });
  bus.emit(slow, 1);
  bus.emit(slow, 2);
  await settle();
  assert.deepEqual(told, [1]);
  await clock.advance(100);
  assert.deepEqual(told, [1, 2]);
  assert.deepEqual(warnings, ['Plugin "one" failed in test.slow: no answer within 100 ms']);
});

Deno.test("first() asks in order until one answers", async () => {
  const { bus, attach } = setUp();
  const asked: string[] = [];
  for (const name of ["one", "two", "three"]) {
    attach(name, answer, () => {
      asked.push(name);
      return name === "two" ? "yes" : undefined;
    });
  }
  assert.equal(await bus.first(answer, "?", never), "yes");
  assert.deepEqual(asked, ["one", "two"]);
});

Deno.test("first() goes on without a handler that fails or is stuck when the hook skips", async () => {
  const { bus, clock, warnings, attach } = setUp();
  let aborted = false;
  attach("throws", answer, () => {
    throw new Error("lost");
  });
  attach("stuck", answer, (_, signal) => {
    signal.addEventListener("abort", () => aborted = true);
    return stuck();
  });
  attach("answers", answer, () => "yes");
  const result = bus.first(answer, "?", never);
  await clock.advance(1_000);
  assert.equal(await result, "yes");
  assert.equal(aborted, true);
  assert.deepEqual(warnings, [
    'Plugin "throws" failed in test.answer: lost',
    'Plugin "stuck" failed in test.answer: no answer within 1000 ms',
  ]);
  assert.equal(clock.pending, 0);
});

Deno.test("first() takes an answer with a problem for a failure", async () => {
  const { bus, warnings, attach } = setUp();
  const problem = (answer: unknown): string | undefined => answer === 7 ? "it answered 7" : undefined;
  const lenient = defineHook<string, unknown>()("first", "test.lenient", { onFailure: "skip", problem });
  const strict = defineHook<string, unknown>()("first", "test.strict", { onFailure: "refuse", problem });
  for (const hook of [lenient, strict]) {
    attach("nonsense", hook, () => 7);
    attach("answers", hook, () => 8);
  }
  assert.equal(await bus.first(lenient, "?", never), 8);
  await assert.rejects(bus.first(strict, "?", never), { name: "PluginError", plugin: "nonsense" });
  assert.deepEqual(warnings, [
    'Plugin "nonsense" failed in test.lenient: it answered 7',
    'Plugin "nonsense" failed in test.strict: it answered 7',
  ]);
});

Deno.test("every() asks all at once, and gives each answer in the order of the table", async () => {
  const { bus, clock, attach } = setUp();
  const asked: string[] = [];
  assert.deepEqual(await bus.every(agree, "?", never), []);
  attach("slow", agree, async () => {
    asked.push("slow");
    await new Promise<void>((resolve) => void clock.after(500, resolve));
    return true;
  });
  attach("indifferent", agree, () => undefined);
  attach("quick", agree, () => {
    asked.push("quick");
    return false;
  });
  const answers = bus.every(agree, "?", never);
  await settle();
  assert.deepEqual(asked, ["slow", "quick"]);
  await clock.advance(500);
  assert.deepEqual(await answers, [true, false]);
});

Deno.test("what is of a private swarm reaches only those who may see such, whatever the verb", async () => {
  const { bus } = setUp();
  const hook = { onFailure: "refuse" } as const;
  const event = defineHook<{ private: boolean }>()("event", "test.private_event", hook);
  const source = defineHook<{ private: boolean }, string>()("gather", "test.private_source", hook);
  const asked = defineHook<{ private: boolean }, string>()("first", "test.private_asked", hook);
  const agreed = defineHook<{ private: boolean }, string>()("every", "test.private_agreed", hook);
  const wrapped = defineHook<{ private: boolean }, string>()("around", "test.private_wrapped", hook);
  const tool = defineHook<string, string>()("keyed", "test.private_tool", hook);
  const got: string[] = [];
  const registrations = [false, true].flatMap((seesPrivate) => {
    const name = seesPrivate ? "trusted" : "plain";
    const owner = testOwner(name, [], { seesPrivate });
    return [
      registerHandler(owner, event, () => void got.push(name)),
      registerHandler(owner, source, async function* () {
        yield await Promise.resolve(name);
      }),
      registerHandler(owner, asked, () => name),
      registerHandler(owner, agreed, () => name),
      registerHandler(owner, wrapped, async (input, next) => `${name} ${await next(input)}`),
      registerValue(owner, tool, name, name),
    ];
  });
  bus.swap(HookTable.build(registrations, 1));
  for (const about of [{ private: false }, { private: true }]) {
    bus.emit(event, about);
    const round = bus.gather(source, about, never);
    for (let step = await round.next(); !step.done; step = await round.next()) got.push(step.value.value);
    got.push(`${await bus.first(asked, about, never)}`, ...await bus.every(agreed, about, never));
    got.push(await bus.around(wrapped, about, () => Promise.resolve("end")));
    got.push(`${bus.get(tool, "plain", about)} ${bus.get(tool, "trusted", about)}`);
    const all = about.private ? [] : ["plain"];
    assert.deepEqual(got.splice(0), [
      ...all,
      "trusted",
      ...all,
      "trusted",
      about.private ? "trusted" : "plain",
      ...all,
      "trusted",
      about.private ? "trusted end" : "plain trusted end",
      about.private ? "undefined trusted" : "plain trusted",
    ]);
  }
});

Deno.test("plugins are told an event without its secrets", () => {
  const { bus, attach } = setUp();
  const secret = defineHook<string>()("event", "test.secret", {
    onFailure: "skip",
    redact: (text) => text.replace("secret", "…"),
  });
  const told: string[] = [];
  attach("one", secret, (text) => void told.push(text));
  bus.emit(secret, "a secret word");
  assert.deepEqual(told, ["a … word"]);
});

Deno.test("every() rejects when any handler fails, is stuck, is barred or answers nonsense", async () => {
  const bad: Record<string, () => never> = {
    throws: () => {
      throw new Error("lost");
    },
    stuck: () => stuck() as never,
    nonsense: () => 7 as never,
    barred: () => true as never,
  };
  for (const [name, handler] of Object.entries(bad)) {
    const { bus, clock, attach } = setUp();
    attach("one", agree, () => true);
    const owner = attach(name, agree, handler);
    attach("two", agree, () => true);
    if (name === "barred") owner.barred = "it is left out";
    const refused = assert.rejects(bus.every(agree, "?", never), { name: "PluginError", plugin: name });
    await clock.advance(1_000);
    await refused;
    assert.equal(clock.pending, 0);
  }
});

Deno.test("every() rejects with the reason of its caller's signal, and nobody has failed", async () => {
  const { bus, failures, attach } = setUp();
  attach("one", agree, () => stuck());
  const caller = new AbortController();
  const answers = bus.every(agree, "?", caller.signal);
  answers.catch(() => {});
  await settle();
  caller.abort(new Error("gone"));
  await assert.rejects(answers, /^Error: gone$/);
  assert.deepEqual(failures, []);
});

Deno.test("first() rejects when a handler fails and the hook refuses", async () => {
  const { bus, clock, attach } = setUp();
  attach("filter", admit, () => stuck());
  attach("lenient", admit, () => true);
  const result = bus.first(admit, "?", never);
  const rejected = assert.rejects(result, { name: "PluginError", plugin: "filter", hook: "test.admit" });
  await clock.advance(1_000);
  await rejected;
});

Deno.test("first() rejects with the caller's reason when its signal aborts, and blames nobody", async () => {
  const { bus, clock, warnings, attach } = setUp();
  attach("stuck", answer, () => stuck());
  const controller = new AbortController();
  const result = bus.first(answer, "?", controller.signal);
  await settle();
  controller.abort(new Error("stopping"));
  await assert.rejects(result, /stopping/);
  assert.deepEqual(warnings, []);
  assert.equal(clock.pending, 0);
});

Deno.test("around() nests handlers, the first outermost", async () => {
  const { bus, attach } = setUp();
  attach("a", open, async (x, next) => `a(${await next(x + "1")})`);
  attach("b", open, async (x, next) => `b(${await next(x + "2")})`);
  assert.equal(await bus.around(open, "x", (x) => Promise.resolve(x)), "a(b(x12))");
});

Deno.test("around() passes errors of what is inside, and a peer's fault, without blaming a plugin", async () => {
  const { bus, failures, attach } = setUp();
  attach("a", open, (x, next) => next(x));
  const refused = new Error("connection refused");
  await assert.rejects(bus.around(open, "x", () => Promise.reject(refused)), refused);
  const fault = Object.assign(new Error("bad handshake"), { name: "ProtocolError" });
  attach("b", open, () => Promise.reject(fault));
  await assert.rejects(bus.around(open, "x", (x) => Promise.resolve(x)), fault);
  assert.deepEqual(failures, []);
});

Deno.test("around() refuses when a handler fails, and skips it where the hook says so", async () => {
  const { bus, attach } = setUp();
  const broken = (): never => {
    throw new Error("broken");
  };
  attach("a", open, broken);
  attach("a", decorate, broken);
  attach("b", decorate, async (x, next) => `b(${await next(x)})`);
  await assert.rejects(bus.around(open, "x", (x) => Promise.resolve(x)), { name: "PluginError", plugin: "a" });
  assert.equal(await bus.around(decorate, "x", (x) => Promise.resolve(x)), "b(x)");
});

Deno.test("around() runs what is inside once, also when a skipped handler failed after it", async () => {
  const { bus, attach } = setUp();
  let opened = 0;
  attach("a", decorate, async (x, next) => {
    await next(x);
    throw new Error("broken");
  });
  assert.equal(await bus.around(decorate, "x", (x) => Promise.resolve(x + ++opened)), "x1");
});

Deno.test("around() counts a handler's own time against its deadline, not that of what is inside", async () => {
  const { bus, clock, failures, attach } = setUp();
  attach("patient", open, async (x, next) => await next(x) + "!");
  const later = (x: string): Promise<string> => new Promise((resolve) => clock.after(5_000, () => resolve(x)));
  const result = bus.around(open, "x", later);
  await clock.advance(5_000);
  assert.equal(await result, "x!");
  attach("stuck", open, async (x, next) => {
    await next(x);
    return stuck();
  });
  const rejected = assert.rejects(bus.around(open, "x", later), { plugin: "stuck" });
  await clock.advance(5_999);
  assert.equal(failures.length, 0);
  await clock.advance(1);
  await rejected;
  assert.equal(clock.pending, 0);
});

Deno.test("a call under way keeps its handlers when a new table is swapped in", async () => {
  const { bus, clock, attach } = setUp();
  attach("slow", answer, () => new Promise((resolve) => clock.after(10, () => resolve(undefined))));
  attach("old", answer, () => "old");
  const result = bus.first(answer, "?", never);
  await settle();
  const before = bus.swap(HookTable.build([registerHandler(testOwner("new"), answer, () => "new")], 9));
  assert.equal(before.generation, 2);
  await clock.advance(10);
  assert.equal(await result, "old");
  assert.equal(await bus.first(answer, "?", never), "new");
});

Deno.test("get() and keys() read the registry", () => {
  const { bus } = setUp();
  bus.swap(
    HookTable.build(
      [registerValue(testOwner("a"), tools, "saw", 1), registerValue(testOwner("b"), tools, "axe", 2)],
      1,
    ),
  );
  assert.equal(bus.get(tools, "saw"), 1);
  assert.equal(bus.get(tools, "drill"), undefined);
  assert.deepEqual(bus.values(tools).map(({ key }) => key), ["saw", "axe"]);
});

Deno.test("stats() counts calls, failures and milliseconds by plugin and hook", async () => {
  const { bus, clock, attach } = setUp();
  attach("one", answer, () => new Promise((resolve) => clock.after(30, () => resolve("yes"))));
  attach("two", greeted, () => {
    throw new Error("no");
  });
  const result = bus.first(answer, "?", never);
  await clock.advance(30);
  await result;
  bus.emit(greeted, "Ada");
  assert.deepEqual(bus.stats(), [
    { plugin: "one", hook: "test.answer", calls: 1, failures: 0, time: 30 },
    { plugin: "two", hook: "test.greeted", calls: 1, failures: 1, time: 0 },
  ]);
});
