/**
 * Schemas of configuration: what a value must look like, its default, its unit, and the error when it doesn't fit.
 *
 * ```ts
 * import { duration, list, object, string } from "weft";
 * const schema = object({ names: list(string()), every: duration({ default: "5m", min: "30s" }) });
 * ```
 *
 * @module
 */
import type { ConfigNode } from "./config_node.ts";
import { ConfigError } from "./errors.ts";
import { asNumber, asText, bounds, childOf, mismatch, pathBelow, place, show } from "./schema_support.ts";
import { didYouMean } from "./suggest.ts";

/** Decodes a node into `T`. Mistakes are reported at the node; undefined is then returned and never used. */
export interface Schema<T> {
  decode(node: ConfigNode): T | undefined;
  /** Shown by `weft plugins` and in errors: `"duration"`, `"string"`. */
  readonly expects: string;
  /** What an absent value becomes, and how the user would write it; schemas without it are required. */
  readonly fallback?: { readonly value: T; readonly written?: unknown };
  /** The keys of a mapping that has no others, as `weft plugins NAME` lists them. */
  readonly keys?: Readonly<Record<string, Schema<unknown>>>;
}

/** What a schema decodes to. */
export type Decoded<S> = S extends Schema<infer T> ? T : never;

/** Options of a scalar. */
export interface ScalarOptions<T> {
  /** What an absent value becomes, written as the user would. */
  readonly default?: unknown;
  /** What is wrong with a value that could be read, such as `must be at least 30s`. */
  readonly check?: (value: T) => string | undefined;
}

/**
 * A schema of a single value, the base of all below. `read` throws when a value does not fit; the error then says
 * that it `must be ${expects}`.
 */
export function scalar<T>(
  expects: string,
  read: (value: unknown, node?: ConfigNode) => T,
  options: ScalarOptions<T> = {},
): Schema<T> {
  const { default: standard, check } = options;
  return {
    expects,
    fallback: standard === undefined ? undefined : { value: read(standard), written: standard },
    decode(node) {
      const written = node.value ?? standard;
      let value: T;
      try {
        value = read(written, node);
      } catch {
        return void node.problem(mismatch(node, expects, written));
      }
      const complaint = check?.(value);
      if (complaint === undefined) return value;
      node.problem(`${place(node)} ${complaint}, current value is ${show(written)}`);
    },
  };
}

/** A text. Lengths are UTF-16 units. */
export function string(
  options: { default?: string; pattern?: RegExp; minLength?: number; maxLength?: number } = {},
): Schema<string> {
  const { pattern, minLength = 0, maxLength = Infinity } = options;
  return scalar("a text", asText, {
    default: options.default,
    check(text) {
      if (text.length < minLength) {
        return minLength === 1 ? "must not be empty" : `must have at least ${minLength} characters`;
      }
      if (text.length > maxLength) return `must have at most ${maxLength} characters`;
      if (pattern && !pattern.test(text)) return `must match ${pattern}`;
    },
  });
}

/** A number, from `min` to `max`. */
export function number(options: { default?: number; min?: number; max?: number } = {}): Schema<number> {
  return scalar("a number", asNumber, { default: options.default, check: bounds(options, Number) });
}

/** A whole number, from `min` to `max`. */
export function integer(options: { default?: number; min?: number; max?: number } = {}): Schema<number> {
  const read = (value: unknown): number => {
    if (!Number.isSafeInteger(value)) throw new TypeError("not a whole number");
    return value as number;
  };
  return scalar("a whole number", read, { default: options.default, check: bounds(options, Number) });
}

/** `true` or `false`. */
export function boolean(options: { default?: boolean } = {}): Schema<boolean> {
  const read = (value: unknown): boolean => {
    if (typeof value !== "boolean") throw new TypeError("not a boolean");
    return value;
  };
  return scalar("true or false", read, options);
}

/** One of some words: `oneOf("prefer", "require", "off")`. */
export function oneOf<const W extends readonly [string, ...string[]]>(...words: W): Schema<W[number]> {
  const expects = words.map((word) => `"${word}"`).join(", ").replace(/, ([^,]*)$/, " or $1");
  return {
    expects,
    decode(node) {
      const word = words.find((word) => word === node.value);
      if (word !== undefined) return word;
      const meant = typeof node.value === "string" ? didYouMean(node.value, words) : "";
      node.problem(mismatch(node, expects, node.value) + meant);
    },
  };
}

/**
 * Decodes plain data, for tests and for what doesn't come from a file.
 *
 * @throws {ConfigError} with every mistake
 */
export function decodeValue<T>(schema: Schema<T>, value: unknown, path = ""): T {
  const problems: string[] = [];
  const node = (value: unknown, path: string): ConfigNode => ({
    value,
    path,
    at: (key) => node(childOf(value, key), pathBelow(path, key)),
    problem: (message) => void problems.push(message),
  });
  const decoded = schema.decode(node(value, path));
  if (problems.length > 0) throw new ConfigError(problems);
  return decoded as T;
}
