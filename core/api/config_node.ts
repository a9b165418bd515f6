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
  /** A file's path, made absolute where the document has a folder. */
  resolve?(path: string): string;
}
