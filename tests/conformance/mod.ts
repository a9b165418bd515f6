/**
 * `weft/conformance`: one call proves that a plugin keeps to the contract.
 *
 * ```ts ignore
 * import { conformance } from "weft/conformance";
 * import roster from "./roster.ts";
 *
 * conformance(roster);
 * ```
 *
 * A plugin is started from its `example`, in simulated time and without the network; what it turns out to be (a
 * discovery source, a filter, a transport, encryption, a wire extension, a tracker client) is checked as such.
 *
 * @module
 */
import { errorText, type Plugin } from "../../core/api/mod.ts";
import { type Check, Unmet } from "./check.ts";
import { discoveryChecks } from "./discovery_checks.ts";
import { extensionChecks } from "./extension_checks.ts";
import { filterChecks } from "./filter_checks.ts";
import { lifeChecks } from "./life_checks.ts";
import { reloadChecks } from "./reload_checks.ts";
import { secureStreamChecks } from "./secure_stream_checks.ts";
import { Strays } from "./strays.ts";
import { type ConformanceOptions, Subject } from "./subject.ts";
import { trackerChecks } from "./tracker_checks.ts";
import { transportChecks } from "./transport_checks.ts";

export type { ConformanceOptions } from "./subject.ts";

/** All checks, in order; the first is needed by all others. */
export const CHECKS: readonly Check[] = [
  ...lifeChecks,
  ...reloadChecks,
  ...discoveryChecks,
  ...filterChecks,
  ...transportChecks,
  ...secureStreamChecks,
  ...extensionChecks,
  ...trackerChecks,
];

/** What came of one check. */
export interface CheckResult {
  /** What holds when it passed, as the end of a sentence that begins with the plugin's name. */
  readonly name: string;
  /** What the plugin did instead, what was expected, and where to read; undefined when it passed. */
  readonly problem?: string;
}

/** What came of all checks that are about a plugin. */
export interface Report {
  readonly plugin: string;
  readonly passed: boolean;
  readonly results: readonly CheckResult[];
}

/**
 * Registers a test for `deno test` that proves a plugin, with a step for each check that is about it.
 *
 * @param options what to start from, where the plugin's `example` doesn't do
 */
// deno-lint-ignore no-explicit-any -- plugins of whatever configuration
export function conformance(plugin: Plugin<any>, options: ConformanceOptions = {}): void {
  Deno.test(`plugin "${plugin.name}" keeps to the contract`, async (test) => {
    await runChecks(plugin, options, async (check, run) => {
      let problem: string | undefined;
      await test.step(check.name, async () => {
        problem = await run();
        if (problem !== undefined) throw new Error(problem);
      });
      return problem;
    });
  });
}

/**
 * Checks a plugin, for other test runners than Deno's. One that does not start is checked no further. Not for two
 * plugins at once: what a plugin does behind its scope's back is noticed for the whole process.
 */
// deno-lint-ignore no-explicit-any -- plugins of whatever configuration
export async function checkPlugin(plugin: Plugin<any>, options: ConformanceOptions = {}): Promise<Report> {
  const results: CheckResult[] = [];
  await runChecks(plugin, options, async ({ name }, run) => {
    const problem = await run();
    results.push({ name, ...(problem !== undefined && { problem }) });
    return problem;
  });
  return { plugin: plugin.name, passed: results.every(({ problem }) => problem === undefined), results };
}

async function runChecks(
  plugin: Plugin,
  options: ConformanceOptions,
  each: (check: Check, run: () => Promise<string | undefined>) => Promise<string | undefined>,
): Promise<void> {
  using strays = new Strays();
  using subject = new Subject(plugin, options, strays);
  for (const check of CHECKS) {
    if (check.applies?.(subject) === false) continue;
    const problem = await each(check, () => problemOf(check, subject));
    if (problem !== undefined && check === CHECKS[0]) return;
  }
}

/** What a check found, in one line. */
async function problemOf(check: Check, subject: Subject): Promise<string | undefined> {
  try {
    await check.run(subject);
    return undefined;
  } catch (error) {
    const { did, expected } = error instanceof Unmet
      ? error
      : { did: `failed: ${errorText(error)}`, expected: `that it ${check.name}` };
    return `"${subject.plugin.name}" ${did}; expected ${expected}; see ${check.read}`;
  }
}
