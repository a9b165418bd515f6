/** Plain JSON data from another process, checked key by key before it is used. @module */

/** Throws what is wrong with a value; `at` says where it stands. */
export type Check = (value: unknown, at: string) => void;

/** One check for each key of `T`; keys that aren't listed may stand beside them. */
export type Shape<T> = { readonly [K in keyof Required<T>]: Check };

export const text: Check = expects("text", (value) => typeof value === "string");
export const flag: Check = expects("true or false", (value) => typeof value === "boolean");
export const amount: Check = expects("a number from 0 up", (value) => typeof value === "number" && value >= 0);
export const anything: Check = (): void => {};

/** A key that may be missing. */
export function optional(check: Check): Check {
  return (value, at) => value === undefined ? undefined : check(value, at);
}

/** One of some texts. */
export function oneOf(...values: readonly string[]): Check {
  return expects(values.map((value) => `"${value}"`).join(" or "), (value) => values.includes(value as string));
}

export function listOf(item: Check): Check {
  return (value, at) => {
    if (!Array.isArray(value)) throw unexpected(at, "a list");
    value.forEach((each, i) => item(each, `${at}[${i}]`));
  };
}

/** An object of any keys. */
export function recordOf(item: Check): Check {
  return (value, at) => {
    for (const [key, each] of Object.entries(asRecord(value, at))) item(each, `${at}.${key.slice(0, 100)}`);
  };
}

export function objectOf<T>(shape: Shape<T>): Check {
  return (value, at) => {
    const record = asRecord(value, at);
    for (const [key, check] of Object.entries<Check>(shape)) {
      check(Object.hasOwn(record, key) ? record[key] : undefined, at === "" ? key : `${at}.${key}`);
    }
  };
}

function asRecord(value: unknown, at: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw unexpected(at, "an object");
}

function expects(what: string, test: (value: unknown) => boolean): Check {
  return (value, at) => {
    if (!test(value)) throw unexpected(at, what);
  };
}

function unexpected(at: string, what: string): Error {
  return new Error(`${at === "" ? "it" : `"${at}"`} must be ${what}`);
}
