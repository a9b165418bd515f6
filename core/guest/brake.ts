import * as modules from "node:module";
import { Brake, brakedThread } from "../host/deno/isolates/brake.ts";
import { BRAKE, withBrakes } from "./brake_code.ts";

interface Loaded {
  readonly format?: string;
  readonly source?: unknown;
}
type Load = (url: string, context: LoadContext, next: (url: string, context: LoadContext) => Loaded) => Loaded;
interface LoadContext {
  readonly importAttributes: { readonly type?: string };
}

/**
 * From now on each module that is loaded looks at a cell in its loops and functions, by which Weft can end this thread
 * whatever they do. Undefined where this Deno has no hooks: there Worker.terminate() still ends it.
 *
 * What doesn't look: code made of text (`eval`, `data:`, `blob:`), WebAssembly, code that acorn can't read (expressions
 * of a thousand operators, `import defer`), and single steps that take for ever, as a regular expression can.
 */
export function fitBrake(): Int32Array | undefined {
  const { registerHooks } = modules as unknown as { readonly registerHooks?: (hooks: { readonly load: Load }) => void };
  if (!registerHooks) return undefined;
  const { cell } = new Brake();
  const { look, end } = brakedThread(cell, self.close.bind(self));
  for (const [object, name, value] of [[globalThis, BRAKE, look], [self, "close", end], [Deno, "exit", end]] as const) {
    Object.defineProperty(object, name, { value, writable: false, configurable: false });
  }
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (typeof loaded.source !== "string" || context.importAttributes.type !== undefined) return loaded;
      const source = withBrakes(loaded.source);
      // Any text that a hook gives counts as JavaScript, also JSON's: Deno itself loads what got no brake.
      return source === loaded.source ? { format: undefined, source: undefined } : { ...loaded, source };
    },
  });
  return cell;
}
