import assert from "node:assert/strict";
import * as weft from "../../../api/mod.ts";
import { ModuleError } from "../../../api/host.ts";
import { DenoModules } from "./mod.ts";
import { importsOf } from "./code.ts";

/** A folder outside the repository, gone afterwards; `write` answers with a file's URL. */
async function inFolder(
  body: (write: (name: string, text: string) => string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "weft modules-" }));
  try {
    await body((name, text) => {
      Deno.mkdirSync(`${folder}/sub`, { recursive: true });
      Deno.writeTextFileSync(`${folder}/${name}`, text);
      return new URL(`file://${folder}/${name}`).href;
    }, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function test(name: string, body: Parameters<typeof inFolder>[0], ignore = false): void {
  Deno.test({ name, ignore, sanitizeOps: true, sanitizeResources: true, fn: () => inFolder(body) });
}

const oldDeno = !("registerHooks" in await import("node:module"));

test("load() imports a module anew when it changed, and only then", async (write) => {
  const modules = new DenoModules();
  const url = write("a.ts", "export const value: number = 1;");
  const first = await modules.load(url);
  assert.equal(first.exports.value, 1);
  assert.equal((await modules.load(url)).exports, first.exports);
  write("a.ts", "export const value: number = 2;");
  const second = await modules.load(url);
  assert.equal(second.exports.value, 2);
  assert.notEqual(second.version, first.version);
  write("a.ts", "export const value: number = 1;");
  assert.equal((await modules.load(url)).exports, first.exports);
});

test("load() tries a module that failed again, since what it missed may have come", async (write, folder) => {
  const modules = new DenoModules();
  const url = write("a.ts", `export const list = Deno.readTextFileSync(${JSON.stringify(folder + "/list.txt")});`);
  for (let i = 0; i < 2; i++) await assert.rejects(modules.load(url), /a\.ts:1:\d+: No such file/);
  write("list.txt", "here");
  const { exports } = await modules.load(url);
  assert.equal(exports.list, "here");
  assert.equal((await modules.load(url)).exports, exports);
});

test(
  "load() picks up changes of what a module imports, however far down and however imported",
  async (write, folder) => {
    const modules = new DenoModules();
    write("sub/deep.js", "export const deep = 1;");
    write("sub/b.ts", 'export * from "../sub/deep.js"; export const b: string = "b1";');
    write("late.js", 'export const late = "late1";');
    const url = write(
      "a.ts",
      'import { b, deep } from "./sub/b.ts"; export const all = async () => [b, deep, (await import("./late.js")).late];',
    );
    const read = async () => await ((await modules.load(url)).exports.all as () => Promise<unknown[]>)();
    assert.deepEqual(await read(), ["b1", 1, "late1"]);
    assert.deepEqual(
      [...(await modules.inspect(url)).files].sort(),
      ["a.ts", "late.js", "sub/b.ts", "sub/deep.js"].map((name) => `${folder}/${name}`),
    );
    write("sub/deep.js", "export const deep = 2;");
    assert.deepEqual(await read(), ["b1", 2, "late1"]);
    write("late.js", 'export const late = "late2";');
    assert.deepEqual(await read(), ["b1", 2, "late2"]);
  },
  oldDeno,
);

test("load() goes on once a mistake in an import is mended", async (write) => {
  const modules = new DenoModules();
  const url = write("a.ts", 'export { x } from "./b.ts";');
  await assert.rejects(modules.load(url), /a\.ts:1:19: cannot find ".*b\.ts"; correct the import/);
  write("b.ts", "export const x = ,;");
  await assert.rejects(modules.load(url), /b\.ts:1:18: Expression expected/);
  write("b.ts", "export const x = 1;");
  assert.equal((await modules.load(url)).exports.x, 1);
});

test("what a module imports as weft is Weft's own instance, also beside a deno.json of its own", async (write) => {
  write("deno.json", '{ "imports": { "weft": "./nothing.ts" } }');
  write("b.js", 'export { ConfigError } from "weft";');
  const url = write("a.ts", 'export * from "./b.js"; export { object } from "weft";');
  const { exports } = await new DenoModules().load(url);
  assert.equal(exports.object, weft.object);
  assert.equal(exports.ConfigError, weft.ConfigError);
});

test("inspect() looks at the code without running it", async (write) => {
  const modules = new DenoModules();
  const url = write("a.js", 'import "./b.js"; globalThis.weftModuleRan = true;');
  const before = await modules.inspect(url);
  write("b.js", "");
  const after = await modules.inspect(url);
  assert.notEqual(after.version, before.version);
  assert.deepEqual(after.files, before.files);
  assert.equal("weftModuleRan" in globalThis, false);
});

test("errors say where, and what to do", async (write, folder) => {
  const modules = new DenoModules();
  const cases: Record<string, RegExp> = {
    'export { a } from "whatever";':
      /x\.ts:1:19: cannot find "whatever"; write "weft", ".\/whatever.ts" for a file, or "npm:/,
    "const x = 1;\nexport default {,};": /x\.ts:2:17: Unexpected token/,
    'import { nope } from "weft"; export { nope };': /x\.ts:1:10: The requested module 'weft' does not provide/,
    "const a: any = null;\nexport default a.b;": /x\.ts:2:18: Cannot read properties of null/,
    'throw "a text";': /x\.ts: a text/,
  };
  for (const [source, message] of Object.entries(cases)) {
    await assert.rejects(modules.load(write("x.ts", source)), (error) => {
      assert.ok(error instanceof ModuleError);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /weft=|file:/);
      return true;
    });
  }
  await assert.rejects(modules.load(`file://${encodeURI(folder)}/gone.ts`), /there is no file ".*gone\.ts"; correct/);
  await assert.rejects(modules.load(`file://${encodeURI(folder)}/sub`), /sub" is a folder; name the module in it/);
});

test("load() says which permission an import needs", async () => {
  Deno.permissions.revokeSync({ name: "import" });
  await assert.rejects(
    new DenoModules().load("https://code.invalid/x.ts"),
    /Weft may not import code from "code.invalid:443"; start it with --allow-import=code.invalid:443/,
  );
});

test("load() imports what is no file as it is", async () => {
  const modules = new DenoModules();
  assert.equal((await modules.load("data:text/javascript,export default 7")).exports.default, 7);
  assert.equal(typeof (await modules.load("npm:tinyqueue@^3.0.0")).exports.default, "function");
});

Deno.test("importsOf() finds files in every kind of import, and leaves out packages and Weft's core", () => {
  const source = `
    import a from "./a.ts"; import type { B } from '../b.ts'; import "/c.js";
    export * from "file:///d.js";
    import { definePlugin } from "weft"; import yaml from "npm:yaml"; import fs from "node:fs";
    const e = await import(/* late */ \`./e.js\`); import f from "./f.json" with { type: "json" };
    import core from "${new URL("../../../api/mod.ts", import.meta.url)}"; await import("../" + name);
    import {
      g,
    } from "./g.ts";
  `;
  assert.deepEqual(
    importsOf(source, "file:///x/y/z.ts").map((url) => url.slice("file://".length)),
    ["/x/y/a.ts", "/x/b.ts", "/c.js", "/d.js", "/x/y/e.js", "/x/y/f.json", "/x/y/g.ts"],
  );
});

test("load() refuses a changed import where this Deno can't load it anew", async (write) => {
  const modules = new DenoModules();
  write("b.js", "export const b = 1;");
  const url = write("a.js", 'export { b } from "./b.js";');
  assert.equal((await modules.load(url)).exports.b, 1);
  write("b.js", "export const b = 2;");
  await assert.rejects(modules.load(url), /b\.js" has changed, which ".*a\.js" imports: .* restart Weft/);
  write("b.js", "export const b = 1;");
  assert.equal((await modules.load(url)).exports.b, 1);
}, !oldDeno);

test("load() takes a module that is written while it is read as it was at the end", async (write) => {
  const modules = new DenoModules();
  const change = (text: string) => `Deno.writeTextFileSync(new URL(import.meta.url), ${text});`;
  const url = write("a.js", `${change('"export const value = 2;"')} export const value = 1;`);
  assert.equal((await modules.load(url)).exports.value, 2);
  const restless = write("b.js", change('Deno.readTextFileSync(new URL(import.meta.url)) + ";"'));
  await assert.rejects(modules.load(restless), /b\.js" changes while it is read; save it again/);
});
