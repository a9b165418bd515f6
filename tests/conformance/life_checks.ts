/** What every plugin owes: it starts, is configured strictly, and goes without a trace. @module */
import { ConfigError, decodeValue, errorText } from "../../core/api/mod.ts";
import type { PluginBench } from "../testing/mod.ts";
import { type Check, expect, show, Unmet, watch } from "./check.ts";
import { busy } from "./exercise.ts";
import { Platform } from "./strays.ts";
import type { Subject } from "./subject.ts";

// Nothing that goes on by itself takes longer to show (ms of simulated time).
const AFTERMATH = 120_000;
// When setups are broken off, in milliseconds after they began. Networks in these worlds take a few each way.
const BREAKS = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 100, 500, 2_000, 10_000, 29_000];
// A key that nobody's configuration has.
const UNKNOWN_KEY = "no_such_key";
const PATH = "plugins[0].with";
// What stands in a profile by mistake.
const MISTAKES: readonly unknown[] = [null, "", "nonsense", -1, 1e308, true, [], [null], {}, { x: 1 }];

/** Checks of any plugin. The first is needed by all others. */
export const lifeChecks: readonly Check[] = [
  {
    name: "starts from its documented example",
    read: "core/api/plugin.ts, Plugin.example",
    async run(subject) {
      const { plugin, given } = subject;
      try {
        decodeValue(plugin.config, given, PATH);
      } catch (error) {
        throw new Unmet(
          `refuses its own example ${show(given)}: ${errorText(error)}`,
          "an example that its schema takes",
        );
      }
      await using bench = await (await subject.world()).start();
      subject.attached = bench.attached;
    },
  },
  {
    name: "provides what it says that it provides",
    read: "core/api/plugin.ts, Plugin.provides",
    run({ plugin, attached }) {
      const known = attached.flatMap(({ hook, key }) => key === undefined ? [hook] : [hook, `${hook}:${key}`]);
      const missing = (plugin.provides ?? []).filter((capability) => !known.includes(capability));
      expect(
        missing.length === 0,
        `says that it provides ${missing.map(show).join(", ")}, but registered ${
          known.map(show).join(", ") || "nothing"
        }`,
        "a handler or value for each capability in `provides`",
      );
      return Promise.resolve();
    },
  },
  {
    name: "refuses an unknown key, and says where it stands",
    read: "core/api/schema_shape.ts, object()",
    run({ plugin, given }) {
      const problems = problemsOf(plugin.config, { ...given, [UNKNOWN_KEY]: 1 });
      expect(problems.length > 0, `took the unknown key "${UNKNOWN_KEY}"`, "a ConfigError");
      expect(
        problems.some((problem) => problem.includes(UNKNOWN_KEY) && problem.includes(PATH)),
        `refused the unknown key "${UNKNOWN_KEY}" with ${show(problems)}`,
        `a problem that names the key and "${PATH}"`,
      );
      return Promise.resolve();
    },
  },
  {
    name: "takes a default or says what is missing, whatever stands in its configuration",
    read: "core/api/schema.ts",
    run({ plugin, given }) {
      const { config } = plugin;
      for (const key of Object.keys(given)) {
        const { [key]: _, ...rest } = given;
        problemsOf(config, rest);
        for (const mistake of MISTAKES) problemsOf(config, { ...rest, [key]: mistake });
      }
      for (const mistake of MISTAKES) problemsOf(config, mistake);
      return Promise.resolve();
    },
  },
  {
    name: "reaches the world through its scope alone",
    read: "core/api/plugin.ts, PluginScope.net and PluginScope.clock",
    async run(subject) {
      using platform = new Platform();
      try {
        await using bench = await (await subject.world()).start();
        await busy(bench);
      } catch {
        // What it used is told below; what else it failed with, by other checks.
      }
      for (const [used, instead] of platform.used) {
        throw new Unmet(`used ${used}`, `${instead}, which ends with the entry and passes the egress guard`);
      }
    },
  },
  {
    name: "handles the events that it listens to",
    read: "core/api/hooks.ts",
    async run(subject) {
      await using bench = await (await subject.world()).start();
      await busy(bench);
      const [failure] = bench.failures.filter(({ hook }) => hook !== "peers.discover");
      expect(failure === undefined, `failed: ${failure?.message}`, "handlers that take what the hook carries");
    },
  },
  {
    name: "leaves nothing behind when it stops",
    read: "core/api/plugin.ts, PluginScope.use and PluginScope.defer",
    async run(subject) {
      subject.strays.take();
      const { simulation, start } = await subject.world();
      const bench = await start();
      await busy(bench);
      await bench.stop();
      await simulation.run(AFTERMATH);
      expectGone(subject, bench);
      const complaint = bench.log.find((line) => line.includes("Cannot clean up"));
      expect(complaint === undefined, `failed to clean up: ${complaint}`, "cleanups that succeed within 5 s");
    },
  },
  {
    name: "survives being stopped in the middle of its setup",
    read: "core/api/plugin.ts, PluginScope.signal",
    async run(subject) {
      subject.strays.take();
      for (const wait of BREAKS) {
        const world = await subject.world();
        world.simulation.network.latency = 3;
        const bench = world.bench();
        const setup = watch(bench.setUp());
        await world.simulation.run(wait);
        const over = setup().state !== "pending";
        await bench.stop();
        await world.simulation.run(AFTERMATH);
        expect(
          setup().state !== "pending",
          `was stopped ${wait} ms into its setup, which never ended`,
          "that what it waits for ends when plugin.signal aborts",
        );
        expectGone(subject, bench, `, stopped ${wait} ms into its setup`);
        if (over) return;
      }
    },
  },
];

/** The schema's complaints about a `with`; none when it takes it. */
function problemsOf(schema: Parameters<typeof decodeValue>[0], value: unknown): readonly string[] {
  try {
    decodeValue(schema, value, PATH);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw new Unmet(
      `threw ${show(error)} from its schema for ${show(value)}`,
      "node.problem() for what does not fit: what is thrown has no place in the profile",
    );
  }
}

function expectGone(subject: Subject, bench: PluginBench, when = ""): void {
  const left = bench.open();
  expect(left.length === 0, `left ${left.join(", ")}${when}`, "nothing open 2 minutes after it stopped");
  const [stray] = subject.strays.take();
  expect(
    stray === undefined,
    `left a rejection that nobody handles${when}: ${stray}`,
    "that whatever it does not await is caught: it rejects when the entry is retired",
  );
}
