/** Checks a `with` where the plugin's schema is, and tells its mistakes where the profile is. @module */
import type { ConfigNode, Schema } from "../api/mod.ts";
import { childOf, pathBelow } from "../api/schema_support.ts";
import { resolvePath } from "../config/mod.ts";
import { MAX_LINE, type Problem } from "./protocol.ts";

// Stands for the place of `with`, which only the profile knows; a private-use character, so that no text has it.
const ROOT = "\u{F8FF}";
// More mistakes than anybody reads at once.
const MAX_PROBLEMS = 50;

/** Decodes `with` by the plugin's own schema, and keeps what is wrong with it. */
export function decodeRecorded<T>(
  schema: Schema<T>,
  config: unknown,
  baseDir: string,
): { readonly value: T | undefined; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const node = (value: unknown, path: readonly (string | number)[], text: string): ConfigNode => ({
    value,
    path: text,
    at: (key) => node(childOf(value, key), [...path, key], pathBelow(text, key)),
    problem: (message, key) => {
      if (problems.length === MAX_PROBLEMS) return;
      problems.push({ path, message: message.slice(0, MAX_LINE), ...(key !== undefined && { key }) });
    },
    resolve: (path) => resolvePath(baseDir, path),
  });
  // An absent `with` is an empty one, so that each key that it lacks is named.
  const value = schema.decode(node(config ?? {}, [], ROOT));
  return { value, problems };
}

/** A schema that takes what `decodeRecorded` took, reports what that reported, and gives back what was written. */
export function replayed(expects: string, config: unknown, problems: readonly Problem[]): Schema<unknown> {
  return {
    expects,
    decode(node) {
      for (const { path, message, key } of problems) {
        const place = path.reduce((at: ConfigNode, step) => at.at(step), node);
        place.problem(message.replaceAll(ROOT, node.path), key);
      }
      return problems.length > 0 ? undefined : config ?? {};
    },
  };
}
