/** Schemas of lists and mappings. @module */
import { quote } from "../wire/mod.ts";
import type { Decoded, Schema } from "./schema.ts";
import { isMapping, mismatch, place, within } from "./schema_support.ts";
import { didYouMean } from "./suggest.ts";

/** A list whose items all fit `item`. */
export function list<T>(
  item: Schema<T>,
  options: { default?: readonly T[]; minItems?: number; maxItems?: number } = {},
): Schema<readonly T[]> {
  const { default: standard, minItems = 0, maxItems = Infinity } = options;
  const expects = "a list";
  return {
    expects,
    fallback: standard && { value: standard },
    decode(node) {
      if (node.value == null && standard) return standard;
      if (!Array.isArray(node.value)) return void node.problem(mismatch(node, expects, node.value));
      const { length } = node.value;
      if (length < minItems) {
        node.problem(`${place(node)} must have at least ${minItems} items, current value has ${length}`);
      }
      // Checked before any item is: a list past its limit must not cost what the limit guards.
      if (length > maxItems) {
        return void node.problem(`${place(node)} must have at most ${maxItems} items, current value has ${length}`);
      }
      return Array.from({ length }, (_, i) => item.decode(node.at(i))) as T[];
    },
  };
}

/** A mapping with free keys, whose values all fit `value`. */
export function record<T>(
  value: Schema<T>,
  options: { default?: Readonly<Record<string, T>> } = {},
): Schema<Readonly<Record<string, T>>> {
  const { default: standard } = options;
  const expects = "a mapping";
  return {
    expects,
    fallback: standard && { value: standard },
    decode(node) {
      if (node.value == null && standard) return standard;
      if (!isMapping(node.value)) return void node.problem(mismatch(node, expects, node.value));
      const entries = Object.keys(node.value).map((key) => [key, value.decode(node.at(key))] as const);
      return Object.fromEntries(entries) as Record<string, T>;
    },
  };
}

/** A mapping of these keys and no others. It may be absent when each of its keys may. */
export function object<const S extends Readonly<Record<string, Schema<unknown>>>>(
  shape: S,
): Schema<{ readonly [K in keyof S]: Decoded<S[K]> }> {
  type T = { readonly [K in keyof S]: Decoded<S[K]> };
  const keys = Object.keys(shape);
  const expects = "a mapping";
  const optional = keys.every((key) => shape[key].fallback !== undefined);
  const build = (field: (key: string) => unknown): T => {
    const fields = keys.map((key) => [key, field(key)] as const).filter(([, value]) => value !== undefined);
    return Object.fromEntries(fields) as T;
  };
  return {
    expects,
    keys: shape,
    fallback: optional ? { value: build((key) => shape[key].fallback?.value) } : undefined,
    decode(node) {
      const value = node.value == null && optional ? {} : node.value;
      if (!isMapping(value)) return void node.problem(mismatch(node, expects, value));
      for (const key of Object.keys(value)) {
        if (Object.hasOwn(shape, key)) continue;
        const meant = didYouMean(key, keys) || `; it knows ${keys.map(quote).join(", ") || "no keys"}`;
        node.problem(`unknown key ${quote(key)}${within(node)}${meant}`, key);
      }
      return build((key) => {
        const child = node.at(key);
        if (child.value != null || shape[key].fallback) return shape[key].decode(child);
        node.problem(`missing key "${key}"${within(node)}; it expects ${shape[key].expects}`);
      });
    },
  };
}

/** A value that may be absent, and is undefined then. */
export function optional<T>(schema: Schema<T>): Schema<T | undefined> {
  return withDefault<T | undefined>(schema, undefined);
}

/** A value that may be absent, and is `value` then. */
export function withDefault<T>(schema: Schema<T>, value: NoInfer<T>): Schema<T> {
  return {
    expects: schema.expects,
    ...(schema.keys && { keys: schema.keys }),
    fallback: { value },
    decode: (node) => node.value == null ? value : schema.decode(node),
  };
}
