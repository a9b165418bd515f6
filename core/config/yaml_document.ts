import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from "yaml";
import type { ConfigNode, SourcePlace } from "../api/mod.ts";
import { childOf, pathBelow } from "../api/schema_support.ts";
import { quote } from "../wire/mod.ts";
import { resolvePath } from "./path.ts";
import type { ProfileDocument } from "./plain_document.ts";

// A profile is a few kilobytes; the cap keeps a wrong file from filling memory.
const MAX_CHARACTERS = 1024 * 1024;
// How many nodes aliases may stand for, so that a few lines can't expand to gigabytes.
const MAX_ALIASES = 100;
// Broken syntax makes errors of its own; past this many nobody reads them.
const MAX_SYNTAX_ERRORS = 20;

/** A profile's text, its nodes with their places, and the mistakes found so far. */
export class YamlDocument implements ProfileDocument {
  readonly #lines = new LineCounter();
  readonly #problems: { readonly offset: number; readonly message: string }[] = [];
  readonly root: ConfigNode | undefined;

  constructor(text: string, readonly file: string, readonly baseDir: string) {
    this.root = this.#read(text);
  }

  get problems(): readonly string[] {
    return [...this.#problems].sort((a, b) => a.offset - b.offset).map(({ offset, message }) => {
      const { line, column } = this.#placeOf(offset);
      return `${this.file}:${line}:${column}: ${message}`;
    });
  }

  place(node: ConfigNode): SourcePlace {
    return this.#placeOf((node as YamlNode).offset);
  }

  /** @internal Notes a mistake. */
  report(offset: number, message: string): void {
    this.#problems.push({ offset, message });
  }

  #read(text: string): ConfigNode | undefined {
    if (text.length > MAX_CHARACTERS) {
      return void this.report(0, `the profile must have at most ${MAX_CHARACTERS} characters, it has ${text.length}`);
    }
    const document = parseDocument(text, {
      version: "1.2",
      schema: "core",
      resolveKnownTags: false,
      uniqueKeys: true,
      strict: true,
      prettyErrors: false,
      logLevel: "error",
      lineCounter: this.#lines,
    });
    const broken = [this.#reportSyntax(document, text), this.#reportAliases(document)].includes(true);
    if (broken) return undefined;
    if (document.contents === null) {
      return void this.report(0, "the profile is empty; it needs at least `plugins`, see config.example.yaml");
    }
    try {
      const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
      return new YamlNode(this, document, document.contents, value, "", 0);
    } catch {
      return void this.report(0, `aliases stand for more than ${MAX_ALIASES} nodes; write some of them out`);
    }
  }

  /** Reports what the parser found; true when nothing below can be trusted. */
  #reportSyntax({ errors, warnings }: Document, text: string): boolean {
    const end = text.trimEnd().length;
    let broken = false;
    for (const { code, message, pos } of [...errors, ...warnings].slice(0, MAX_SYNTAX_ERRORS)) {
      if (code === "DUPLICATE_KEY") {
        const key = /^[^\s:]+/.exec(text.slice(pos[0]))?.[0] ?? "";
        this.report(pos[0], `duplicate key ${quote(key)}; remove one of them`);
      } else if (code === "TAG_RESOLVE_FAILED") {
        this.report(pos[0], `unknown tag ${quote(text.slice(pos[0], pos[1]))}; a profile has no tags`);
      } else if (code === "MULTIPLE_DOCS") {
        this.report(pos[0], "a profile is one document; remove this `---` and what doesn't belong");
      } else if (code === "RESOURCE_EXHAUSTION") {
        this.report(pos[0], "the profile is nested too deeply");
        return true;
      } else {
        const cut = pos[0] >= end ? "; the profile ends too early, perhaps while it is being saved" : "";
        this.report(pos[0], message + cut);
        broken = true;
      }
    }
    return broken;
  }

  #reportAliases(document: Document): boolean {
    let broken = false;
    visit(document, {
      Alias: (_, alias) => {
        if (alias.resolve(document)) return;
        this.report(alias.range?.[0] ?? 0, `unknown alias "*${alias.source}"; its anchor must stand before it`);
        broken = true;
      },
    });
    return broken;
  }

  #placeOf(offset: number): SourcePlace {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col) };
  }
}

class YamlNode implements ConfigNode {
  /** Where it starts; where its parent does, if it is absent. */
  readonly offset: number;
  readonly #profile: YamlDocument;
  readonly #document: Document;
  readonly #node: Node | undefined;

  constructor(
    profile: YamlDocument,
    document: Document,
    written: Node | undefined,
    readonly value: unknown,
    readonly path: string,
    parentOffset: number,
  ) {
    this.#profile = profile;
    this.#document = document;
    this.#node = isAlias(written) ? written.resolve(document) : written;
    this.offset = written?.range?.[0] ?? parentOffset;
  }

  at(key: string | number): ConfigNode {
    const child = typeof key === "number" ? this.#item(key) : this.#pair(key)?.value;
    const path = pathBelow(this.path, key);
    return new YamlNode(this.#profile, this.#document, child as Node, childOf(this.value, key), path, this.offset);
  }

  problem(message: string, key?: string): void {
    const name = key === undefined ? undefined : this.#pair(key)?.key as Node | undefined;
    this.#profile.report(name?.range?.[0] ?? this.offset, message);
  }

  resolve(path: string): string {
    return resolvePath(this.#profile.baseDir, path);
  }

  #item(index: number): unknown {
    return isSeq(this.#node) ? this.#node.items[index] : undefined;
  }

  #pair(key: string): Pair | undefined {
    if (!isMap(this.#node)) return undefined;
    return this.#node.items.find((pair) => isScalar(pair.key) && String(pair.key.value ?? "") === key);
  }
}
