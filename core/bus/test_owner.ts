/** An owner for tests of what stands on the bus. @module */
import type { PluginError } from "../api/errors.ts";
import type { Owner } from "./registration.ts";

/** An {@link Owner} that a test can bar and look into. */
export interface TestOwner extends Owner {
  barred: string | undefined;
  /** Calls that began and have not ended. */
  readonly running: number;
  /** What its handlers failed with, in order. */
  readonly failures: readonly PluginError[];
}

/** An owner that takes calls until the test sets `barred`; failures are added to `failures`. */
export function testOwner(name: string, failures: PluginError[] = [], { seesPrivate = false } = {}): TestOwner {
  let running = 0;
  return {
    name,
    barred: undefined,
    seesPrivate,
    failures,
    get running(): number {
      return running;
    },
    callBegan: () => void running++,
    callEnded: () => void running--,
    failed: (failure) => void failures.push(failure),
  };
}
