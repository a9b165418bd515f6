import * as modules from "node:module";
import { Brake, lookAt } from "../host/deno/isolates_brake.ts";
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
 * Code made of text (`eval`, `data:`), WebAssembly, and single steps that take for ever (a regular expression) don't
 * look.
 */
export function fitBrake(): Int32Array | undefined {
  const { registerHooks } = modules as unknown as { readonly registerHooks?: (hooks: { readonly load: Load }) => void };
  if (!registerHooks) return undefined;
  const { cell } = new Brake();
  Object.defineProperty(globalThis, BRAKE, { value: lookAt(cell, self.close.bind(self)) });
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (typeof loaded.source !== "string" || context.importAttributes.type !== undefined) return loaded;
      return { ...loaded, source: withBrakes(loaded.source, loaded.format === "commonjs" ? "script" : "module") };
    },
  });
  return cell;
}
