/** What a plugin owes to reloads: the same configuration is nothing new, and a new generation takes its place. @module */
import { errorText } from "../../core/api/mod.ts";
import { type Check, expect, show, Unmet } from "./check.ts";
import { Lab } from "./lab.ts";

// What a runtime and its plugins set going has calmed down by then, and what retires is gone (ms of simulated time).
const CALM = 60_000;

/** Checks of how it takes reloads; they run it in a whole runtime. */
export const reloadChecks: readonly Check[] = [
  {
    name: "is not touched by a reload with the same settings",
    read: "core/api/control.ts, Runtime.reload",
    async run(subject) {
      await using lab = await Lab.start(subject);
      for (const time of ["first", "second"]) {
        const { changes } = await lab.reload("1");
        expect(
          changes.length === 0,
          `changed at the ${time} reload with the same settings: ${show(changes)}`,
          "a configuration of plain data that is decoded the same every time",
        );
      }
      expect(lab.scopes.length === 1, `was set up ${lab.scopes.length} times`, "the instance that runs to go on");
      expect(!lab.scopes[0].signal.aborted, "was retired", "the instance that runs to go on");
    },
  },
  {
    name: "makes way for its next generation",
    read: "core/api/control.ts, Runtime.reload, and core/api/plugin.ts, PluginScope.carry and PluginScope.hold",
    async run(subject) {
      await using lab = await Lab.start(subject);
      await lab.swarm.simulation.run(CALM);
      const before = lab.sockets();
      try {
        await lab.reload("2");
      } catch (error) {
        throw new Unmet(
          `did not start beside its generation before: ${errorText(error)}`,
          "that both run for a moment: state in the scope or in `carry`, not in the module",
        );
      }
      await lab.swarm.simulation.run(CALM);
      expect(lab.scopes.length === 2, `was set up ${lab.scopes.length} times`, "twice, once for each generation");
      expect(
        lab.scopes[0].signal.aborted,
        `still ran ${CALM / 1000} s after it was replaced`,
        "every plugin.hold() to be disposed of, so that a retired entry that nobody uses ends",
      );
      const after = lab.sockets();
      expect(
        show(after) === show(before),
        `had ${before.join(", ") || "nothing"} open before it was replaced, and ${after.join(", ") || "nothing"} after`,
        "the same as before",
      );
    },
  },
];
