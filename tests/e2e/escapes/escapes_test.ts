/** What tries to get out of the sandbox. `WEFT_BINARY` names a compiled Weft to run instead of `mod.ts`. */
import assert from "node:assert/strict";
import { fits, tryEscapes } from "./harness.ts";
import { type Escape, escapes } from "./table.ts";

const root = new URL("../../../", import.meta.url).pathname;
const binary = Deno.env.get("WEFT_BINARY");
const weft = binary !== undefined ? [await Deno.realPath(binary)] : [
  Deno.execPath(),
  "run",
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  `--allow-run=${Deno.execPath()}`,
  "--allow-env=LOG_STREAM,LOG_TOKENS",
  `${root}mod.ts`,
];

// Side by side, but not more threads at once than a small machine runs well.
const TOGETHER = 24;

/** Those that end their plugin are apart: what keeps a processor busy must not make others seem to hang. */
function groups(all: readonly Escape[]): readonly (readonly Escape[])[] {
  const ending = all.filter(({ must }) => must instanceof RegExp);
  const others = all.filter(({ must }) => !(must instanceof RegExp));
  const parts: (readonly Escape[])[] = [];
  for (let at = 0; at < others.length; at += TOGETHER) parts.push(others.slice(at, at + TOGETHER));
  return [
    ...parts,
    ending.filter(({ must }) => !/3s/.test(String(must))),
    ending.filter(({ must }) => /3s/.test(String(must))),
  ];
}

for (const isolate of ["worker", "process"] as const) {
  Deno.test(`nothing gets out of a ${isolate}`, async (t) => {
    const all = escapes.filter(({ only }) => only === undefined || only === isolate);
    assert.ok(all.length >= 40);
    for (const group of groups(all)) {
      const { outcomes, contacts, leaks, code } = await tryEscapes(weft, isolate, group);
      for (const escape of group) {
        await t.step(escape.name, () => {
          assert.ok(fits(escape, outcomes.get(escape.name)), `${escape.must}: ${outcomes.get(escape.name)}`);
        });
      }
      assert.deepEqual({ contacts, leaks, code }, { contacts: 0, leaks: [], code: 0 });
    }
  });
}
