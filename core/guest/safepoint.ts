import { guestSafepoint, Safepoint } from "../host/deno/isolates/safepoint.ts";
import { SAFEPOINT, withSafepoints } from "./safepoint_code.ts";

/** What a thread needs to be ended whatever its plugin does. */
export interface FittedSafepoint {
  /** What Weft sets to end it. */
  readonly cell: Int32Array;
  /** A module's code, so that it looks at the cell. */
  readonly prepare: (source: string) => string;
}

/**
 * Has this thread look at a cell by which Weft can end it, in the loops and functions of each module that goes through
 * `prepare`. What doesn't look: code made of text (`eval`), WebAssembly, code that acorn can't read (expressions of a
 * thousand operators, `import defer`), and single steps that take for ever, as a regular expression can.
 */
export function fitSafepoint(): FittedSafepoint {
  const { cell } = new Safepoint();
  const { look, end } = guestSafepoint(cell, self.close.bind(self));
  for (
    const [object, name, value] of [[globalThis, SAFEPOINT, look], [self, "close", end], [Deno, "exit", end]] as const
  ) {
    Object.defineProperty(object, name, { value, writable: false, configurable: false });
  }
  return { cell, prepare: withSafepoints };
}
