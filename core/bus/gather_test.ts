// deno-lint-ignore-file require-yield -- a source that only fails or waits is what is tested
import assert from "node:assert/strict";
import { defineHook, type GatherStream } from "../api/hook.ts";
import { Bus } from "./bus.ts";
import type { GatherAgain, Gathered } from "./gather.ts";
import { ManualClock, settle } from "./manual_clock.ts";
import { registerHandler } from "./registration.ts";
import { HookTable } from "./table.ts";
import { testOwner } from "./test_owner.ts";

const find = defineHook<string, string>()("gather", "test.find", { deadline: 1_000, onFailure: "skip" });
const strict = defineHook<string, string>()("gather", "test.strict", { onFailure: "refuse" });
const single = defineHook<string, string>()("gather", "test.single", { concurrency: 1, onFailure: "skip" });

type Source = (x: string, signal: AbortSignal) => GatherStream<string>;

function setUp(sources: Record<string, Source>, hook = find) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const bus = new Bus({ clock, log: { warn: (message) => warnings.push(message) } });
  bus.swap(
    HookTable.build(Object.entries(sources).map(([name, run]) => registerHandler(testOwner(name), hook, run)), 1),
  );
  const controller = new AbortController();
  const values: string[] = [];
  const round = bus.gather(hook, "?", controller.signal);
  return { bus, clock, warnings, controller, values, round, result: () => collect(round, values) };
}

async function collect(round: AsyncGenerator<Gathered<string>, GatherAgain>, values: string[]): Promise<GatherAgain> {
  while (true) {
    const step = await round.next();
    if (step.done) return step.value;
    values.push(`${step.value.plugin}:${step.value.value}`);
  }
}

const stuck = (): Promise<never> => new Promise(() => {});

Deno.test("gather() merges sources as they yield and reports when each wants to be asked again", async () => {
  const { clock, values, result } = setUp({
    slow: async function* () {
      await new Promise<void>((resolve) => clock.after(50, resolve));
      yield "s1";
      return { again: 5_000 };
    },
    fast: async function* () {
      yield "f1";
      yield "f2";
    },
  });
  const again = result();
  await settle();
  assert.deepEqual(values, ["fast:f1", "fast:f2"]);
  await clock.advance(50);
  assert.deepEqual(await again, new Map([["slow", 5_000]]));
  assert.deepEqual(values, ["fast:f1", "fast:f2", "slow:s1"]);
  assert.equal(clock.pending, 0);
});

Deno.test("gather() with no sources ends at once", async () => {
  const { result } = setUp({});
  assert.deepEqual(await result(), new Map());
});

Deno.test("gather() abandons a generator that is stuck in an await at its deadline and counts it", async () => {
  let aborted = false;
  const { bus, clock, warnings, values, result } = setUp({
    stuck: async function* (_, signal) {
      signal.addEventListener("abort", () => aborted = true);
      yield "one";
      await stuck();
    },
  });
  const again = result();
  await clock.advance(1_000);
  assert.deepEqual(await again, new Map());
  assert.deepEqual(values, ["stuck:one"]);
  assert.equal(aborted, true);
  assert.deepEqual(warnings, ['Plugin "stuck" failed in test.find: no answer within 1000 ms']);
  assert.deepEqual(bus.stats()[0].failures, 1);
});

Deno.test("gather() does not blame a source for the slowness of its reader", async () => {
  let cleaned = false;
  const { clock, warnings, round } = setUp({
    one: async function* () {
      try {
        yield "1";
        yield "2";
        yield "3";
      } finally {
        cleaned = true;
      }
    },
  });
  await round.next();
  await clock.advance(10_000);
  assert.deepEqual((await round.next()).value, { plugin: "one", value: "2" });
  await round.return(new Map());
  await settle();
  assert.equal(cleaned, true);
  assert.deepEqual(warnings, []);
  assert.equal(clock.pending, 0);
});

Deno.test("gather() goes on without sources that throw, return nonsense, or yield nothing", async () => {
  const { warnings, values, result } = setUp({
    throws: async function* () {
      yield "last words";
      throw new Error("gone");
    },
    nonsense: (() => undefined) as unknown as Source,
    again: async function* () {
      return { again: NaN };
    },
    works: async function* () {
      yield "here";
    },
  });
  assert.deepEqual(await result(), new Map());
  assert.deepEqual(values.sort(), ["throws:last words", "works:here"]);
  assert.equal(warnings.length, 3);
  assert.match(
    warnings.join(),
    /"nonsense" failed.*"again" failed.*no number of milli.*"throws" failed in test.find: gone/,
  );
});

Deno.test("gather() passes over values with a problem, and counts one failure for a round of them", async () => {
  const picky = defineHook<string, string>()("gather", "test.picky", {
    onFailure: "skip",
    problem: (value) => value === "bad" ? "it yielded what is bad" : undefined,
  });
  const { warnings, values, result } = setUp({
    mixed: async function* () {
      yield* ["good", "bad", "bad", "better"];
      return { again: 7 };
    },
  }, picky);
  assert.deepEqual(await result(), new Map([["mixed", 7]]));
  assert.deepEqual(values, ["mixed:good", "mixed:better"]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /"mixed" failed in test.picky: it yielded what is bad/);
});

Deno.test("gather() ends early and quietly when the caller's signal aborts", async () => {
  const { clock, warnings, controller, result } = setUp({
    stuck: async function* () {
      await stuck();
    },
  });
  const again = result();
  await settle();
  controller.abort();
  assert.deepEqual(await again, new Map());
  assert.deepEqual(warnings, []);
  assert.equal(clock.pending, 0);
});

Deno.test("gather() throws when a source fails and the hook refuses", async () => {
  const { result } = setUp({
    throws: async function* () {
      throw new Error("gone");
    },
  }, strict);
  await assert.rejects(result(), { name: "PluginError", plugin: "throws" });
});

Deno.test("gather() lets no more rounds of one source run at once than the hook allows", async () => {
  let running = 0;
  let most = 0;
  const { bus, clock, result } = setUp({
    one: async function* () {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => clock.after(10, resolve));
      running--;
    },
  }, single);
  const rounds = [result(), collect(bus.gather(single, "?", new AbortController().signal), [])];
  await clock.advance(20);
  await Promise.all(rounds);
  assert.equal(most, 1);
});

Deno.test("gather() ends a source that yields without end", async () => {
  let cleaned = false;
  const { warnings, values, result } = setUp({
    endless: async function* () {
      try {
        while (true) yield "x";
      } finally {
        cleaned = true;
      }
    },
  });
  await result();
  await settle();
  assert.equal(values.length, 10_000);
  assert.equal(cleaned, true);
  assert.deepEqual(warnings, ['Plugin "endless" failed in test.find: more than 10000 values in one round']);
});
