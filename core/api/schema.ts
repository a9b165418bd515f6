/**
 * Schemas of configuration: what a value must look like, its default, its unit, and the error when it doesn't fit.
 *
 * @module
 */

/** A value on its way in, with the means to say where it stands. */
export interface ConfigNode {
  /** Plain data: what YAML or JSON gave. */
  readonly value: unknown;
  /** Where it stands in the document, in words: `plugins[9].with.every`. */
  readonly path: string;
  /** The node of a key or an index below this one; its value may be undefined. */
  at(key: string | number): ConfigNode;
  /** Reports a mistake at this node (or at its key `key`) and goes on. */
  problem(message: string, key?: string): void;
}

/** Decodes a node into `T`. Mistakes are reported at the node; undefined is then returned and never used. */
export interface Schema<T> {
  decode(node: ConfigNode): T | undefined;
  /** Shown by `weft plugins` and in errors: `"duration"`, `"string"`. */
  readonly expects: string;
  /** What an absent value becomes; schemas without it are required. */
  readonly fallback?: { readonly value: T };
}
