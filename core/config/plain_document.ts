import type { ConfigNode, SourcePlace } from "../api/mod.ts";
import { childOf, pathBelow } from "../api/schema_support.ts";
import { resolvePath } from "./path.ts";

/** What a profile is decoded from. */
export interface ProfileDocument {
  /** The top of the document; undefined when it could not be read. */
  readonly root: ConfigNode | undefined;
  /** Every mistake found so far, by place: `file:line:column: message`. */
  readonly problems: readonly string[];
  /** Where a node of this document stands. */
  place(node: ConfigNode): SourcePlace;
}

/** A profile as plain data, which no parser needs to be loaded for. All of it stands at 1:1. */
export class PlainDocument implements ProfileDocument {
  readonly root: ConfigNode;
  readonly problems: string[] = [];
  readonly #file: string;
  readonly #baseDir: string;

  constructor(value: unknown, file: string, baseDir: string) {
    this.#file = file;
    this.#baseDir = baseDir;
    this.root = this.#node(value, "");
  }

  place(): SourcePlace {
    return { file: this.#file, line: 1, column: 1 };
  }

  #node(value: unknown, path: string): ConfigNode {
    return {
      value,
      path,
      at: (key) => this.#node(childOf(value, key), pathBelow(path, key)),
      problem: (message) => void this.problems.push(`${this.#file}:1:1: ${message}`),
      resolve: (text) => resolvePath(this.#baseDir, text),
    };
  }
}
