import assert from "node:assert/strict";
import * as modules from "node:module";
import { inSandbox } from "./test_guest.ts";

type Options = Parameters<typeof inSandbox>[2];

/** What code gives in both kinds of sandbox; in old Denos their own loader answers. */
function test(name: string, setup: string, options: Options, expected: unknown): void {
  for (const kind of ["worker", "process"] as const) {
    Deno.test({
      name: `in a ${kind} ${name}`,
      ignore: !("registerHooks" in modules),
      fn: async () => assert.deepEqual(await inSandbox(kind, setup, options), expected),
    });
  }
}

test(
  "a plugin imports files of each kind",
  "return [js, ts, enums.B, json, text, basename('/a/b'), late];",
  {
    imports: [
      'import js from "./a.js"; import ts from "./b.ts"; import { enums } from "./c.mts"; import { basename } from "node:path";',
      'import json from "./d.json" with { type: "json" }; import text from "./e.txt" with { type: "text" };',
      'const { default: late } = await import("./" + "a.js");',
    ].join(" "),
    files: {
      "a.js": '#!/usr/bin/env deno\n"use strict"; export default "js";',
      "b.ts": "\uFEFFimport type { A } from './nowhere.ts'; const a: string = 'ts' satisfies string; export default a;",
      "c.mts": "export enum enums { A = 6, B }",
      "d.json": '{ "a": 1 }',
      "e.txt": "txt",
    },
  },
  ["js", "ts", 7, { a: 1 }, "txt", "b", "js"],
);

test(
  "a module knows where it stands",
  'const { url, filename, dirname, resolve } = import.meta; return [url, filename, dirname, resolve("../x.txt"), other];',
  { imports: 'import other from "./other.js";', files: { "other.js": "export default import.meta.url;" } },
  ["file://FOLDER/plugin.ts?weft=1", "FOLDER/plugin.ts", "FOLDER", "file:///tmp/x.txt", "file://FOLDER/other.js"],
);

test(
  "a module is loaded once, however it is reached",
  'const s = "./n.js"; return [(await import(s)).n === n, (await import(new URL(s, import.meta.url).href)).n === n];',
  { imports: 'import { n } from "./n.js";', files: { "n.js": "export const n = {};" } },
  [true, true],
);

test(
  "no file is read as a map of a source",
  'return await import("./" + "e.js").catch((error) => error.stack.split("\\n")[0]);',
  { files: { "e.js": 'throw new Error("x");\n//# sourceMappingURL=file:///dev/zero' } },
  "Error: x",
);

const failing = (name: string, files: Readonly<Record<string, string>>, expected: RegExp): void =>
  Deno.test({
    name: `what can't be imported says ${name}`,
    ignore: !("registerHooks" in modules),
    async fn() {
      const [file] = Object.keys(files);
      await assert.rejects(inSandbox("worker", "", { imports: `import "./${file}";`, files }), expected);
    },
  });

failing(
  "why, of a package",
  { "a.js": 'import "npm:a";' },
  /Cannot import "npm:a" in a sandbox: code comes from files/,
);
failing(
  "why, of Node's module",
  { "a.js": 'import "node:fs";' },
  /"node:fs" in a sandbox: .* only those load that comp/,
);
failing("why, of a name", { "a.js": 'import "lodash";' }, /"lodash" in a sandbox: .*write "weft", or "\.\/" before/);
failing(
  "why, of text",
  { "a.js": 'import "data:text/javascript,1";' },
  /"data:.*" in a sandbox: code comes from files/,
);
failing("why, of CommonJS", { "a.cjs": "module.exports = 1;" }, /a\.cjs" in a sandbox: it is CommonJS; write "import"/);
failing(
  "why, of bytes",
  { "a.js": 'import "./a.js" with { type: "bytes" };' },
  /as bytes in a sandbox: use Deno\.readFile/,
);
failing("what is missing", { "a.js": 'import "./b.js";' }, /cannot find ".*\/b\.js"; correct the import/);
failing("what may not be read", { "a.js": 'import "/etc/hosts";' }, /its entry does not grant reading it/);
failing("where, in JavaScript", { "a.js": "\n\nnull.x;" }, /\/a\.js:3:\d+: .*null/);
failing("where, in TypeScript", { "a.ts": "interface A {\n  b: 1;\n}\n(null as any).x;" }, /\/a\.ts:4:\d+: .*null/);
failing("where it can't be read", { "a.ts": "\nconst a: = 1;" }, /\/a\.ts:2/);
