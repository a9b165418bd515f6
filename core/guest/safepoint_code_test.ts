import assert from "node:assert/strict";
import * as modules from "node:module";
import { SAFEPOINT, withSafepoints } from "./safepoint_code.ts";

/** Sources, and what they become; `~` stands for the safepoint. */
const CASES: readonly (readonly [source: string, marked: string])[] = [
  ["for (;;);", "for (;;){~();;}"],
  ["for (const x of y) z();", "for (const x of y) {~();z();}"],
  ["for (const x in y) { z(); }", "for (const x in y) {~(); z(); }"],
  ["for await (const x of y) z()", "for await (const x of y) {~();z()}"],
  ["a: while (b) do c()\nwhile (d)", "a: while (b) {~();do {~();c()}\nwhile (d)}"],
  ["if (a) while (b) c(); else d()", "if (a) while (b) {~();c();} else d()"],
  ["for (;;) if (a) b(); else c()\nd()", "for (;;) {~();if (a) b(); else c()}\nd()"],
  ["function f() {}", "function f() {~();}"],
  ["function f() { 'use strict'\nreturn 1 }", "function f() { 'use strict';~();\nreturn 1 }"],
  ["const f = () => () => ({ a: 1 });", "const f = () => (~(),() => ((~(),{ a: 1 })));"],
  ["while (a) f = async (x) => await x", "while (a) {~();f = async (x) => (~(),await x)}"],
  ["const f = () => (a, b), g = () => {};", "const f = () => ((~(),a, b)), g = () => {~();};"],
  [
    "class A extends B { constructor() { super(); } get x() { return 1; } static { for (;;); } }",
    "class A extends B { constructor() {~(); super(); } get x() {~(); return 1; } static { for (;;){~();;} } }",
  ],
  ["const a = { *b() { yield 1; }, async c() {} };", "const a = { *b() {~(); yield 1; }, async c() {~();} };"],
  ["#!/usr/bin/env deno\nwhile (a) {}", "#!/usr/bin/env deno\nwhile (a) {~();}"],
  ['import a from "./a.json" with { type: "json" };', 'import a from "./a.json" with { type: "json" };'],
  ["for (;;", "for (;;"],
];

for (const [source, marked] of CASES) {
  Deno.test(`safepoints: ${source.replace("\n", " ")}`, () => {
    assert.equal(withSafepoints(source), marked.replaceAll("~", SAFEPOINT));
  });
}

Deno.test("safepoints: all of Weft's code stays what it is, line by line", async () => {
  const { stripTypeScriptTypes } = modules as {
    stripTypeScriptTypes?: (source: string, options: { mode: "transform" }) => string;
  };
  if (!stripTypeScriptTypes) return;
  const root = new URL("../../", import.meta.url);
  let fitted = 0;
  for await (const url of sources(root)) {
    const source = stripTypeScriptTypes(await Deno.readTextFile(url), { mode: "transform" });
    const marked = withSafepoints(source);
    assert.equal(marked.split("\n").length, source.split("\n").length);
    assert.equal(without(marked), without(source), url.pathname);
    if (marked === source) continue;
    assert.notEqual(withSafepoints(marked), marked, `${url.pathname} can't be read any more`);
    fitted++;
  }
  assert.ok(fitted > 300, `only ${fitted} files`);
});

/** A source without safepoints, and without the braces and parentheses that they may need. */
function without(source: string): string {
  return source.replaceAll(`${SAFEPOINT}();`, "").replaceAll(`${SAFEPOINT}(),`, "").replace(/[{}();]/g, "");
}

async function* sources(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory && /^[a-z]/.test(name) && name !== "node_modules") yield* sources(new URL(`${name}/`, folder));
    else if (/^\w+\.ts$/.test(name)) yield new URL(name, folder);
  }
}
