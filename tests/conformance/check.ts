/** What a check is, and how it says what it found. @module */
import type { Subject } from "./subject.ts";

/** One thing that is proven of a plugin. */
export interface Check {
  /** What holds when it passes, as the end of a sentence that begins with the plugin's name. */
  readonly name: string;
  /** Where the rule stands. */
  readonly read: string;
  /** Whether it is about this plugin; about all if not given. */
  applies?(subject: Subject): boolean;
  /** @throws {Unmet} when it does not hold */
  run(subject: Subject): Promise<void>;
}

/** A check that did not hold. */
export class Unmet extends Error {
  override readonly name = "Unmet";
  constructor(
    /** What the plugin did, as the end of a sentence that begins with its name. */
    readonly did: string,
    readonly expected: string,
  ) {
    super(`${did}; expected ${expected}`);
  }
}

/** Throws {@link Unmet} unless `holds`. */
export function expect(holds: boolean, did: string, expected: string): asserts holds {
  if (!holds) throw new Unmet(did, expected);
}

/** What came of a promise: its value, its error, or neither yet. */
export type Outcome<T> =
  | { readonly state: "resolved"; readonly value: T }
  | { readonly state: "rejected"; readonly error: unknown }
  | { readonly state: "pending" };

/** Watches a promise, so that one that never settles can be told from one that did. It is never left unhandled. */
export function watch<T>(work: Promise<T>): () => Outcome<T> {
  let outcome: Outcome<T> = { state: "pending" };
  work.then(
    (value) => void (outcome = { state: "resolved", value }),
    (error) => void (outcome = { state: "rejected", error }),
  );
  return () => outcome;
}

/** An outcome in words, for messages. */
export function told(outcome: Outcome<unknown>): string {
  if (outcome.state === "pending") return "did not settle";
  if (outcome.state === "resolved") return `resolved to ${show(outcome.value)}`;
  return `rejected with ${show(outcome.error)}`;
}

// Longer than any value of use in a message.
const MAX_SHOWN = 200;

/** A value as messages show it, whatever it is. */
export function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`.slice(0, MAX_SHOWN);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, MAX_SHOWN);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
