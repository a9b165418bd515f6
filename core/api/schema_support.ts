/** What the schemas share; no part of the public face. @module */
import { quote } from "../wire/mod.ts";
import type { ConfigNode } from "./config_node.ts";

/** The value under a key or an index; never one that is inherited. */
export function childOf(value: unknown, key: string | number): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string | number, unknown>)[key]
    : undefined;
}

/** The path of a key or an index below `path`: `plugins[9].with`. */
export function pathBelow(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** An error for a value out of bounds, which name the limit as it was written. */
export function bounds<U extends string | number>(
  { min, max }: { readonly min?: U; readonly max?: U },
  read: (limit: U) => number | undefined,
): (value: number | undefined) => string | undefined {
  const least = min === undefined ? -Infinity : read(min) ?? Infinity;
  const most = max === undefined ? Infinity : read(max) ?? Infinity;
  return (value = Infinity) => {
    if (value < least) return `must be at least ${min}`;
    if (value > most) return `must be at most ${max}`;
  };
}

/** The value as a text. Throws TypeError when it is none. */
export function asText(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("not a text");
  return value;
}

/** A value as an error shows it. */
export function show(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a mapping";
  return value == null ? "empty" : String(value);
}

/** The value as a finite number. Throws TypeError when it is none. */
export function asNumber(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new TypeError("not a number");
  return value;
}

/** Whether the value has keys. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The error for a value of another kind than `expects`. */
export function mismatch(node: ConfigNode, expects: string, value: unknown): string {
  return `${place(node)} must be ${expects}, current value is ${show(value)}`;
}

/** A node's path, or a word for the root. */
export function place(node: ConfigNode): string {
  return node.path === "" ? "the configuration" : node.path;
}

/** ` in plugins[9].with`, or nothing at the root. */
export function within(node: ConfigNode): string {
  return node.path === "" ? "" : ` in ${node.path}`;
}
