import assert from "node:assert/strict";
import { findFaults } from "./imports.ts";

function faults(sources: Record<string, string>): string[] {
  return findFaults(new Map(Object.entries(sources)));
}

Deno.test("findFaults() accepts imports along the rooms' directions", () => {
  assert.deepEqual(
    faults({
      "core/wire/a.ts": "export const a = 1;",
      "core/wire/mod.ts": 'export * from "./a.ts";',
      "core/store/b.ts": 'import { a } from "../wire/mod.ts";\nimport type { C } from "../api/mod.ts";',
      "core/api/mod.ts": 'export * from "../wire/mod.ts";',
      "plugins/tcp/mod.ts": 'import { definePlugin } from "weft";\nimport { d } from "./d.ts";',
      "plugins/tcp/d.ts": "",
      "plugins/mod.ts": 'export const builtins = { tcp: () => import("./tcp/mod.ts") };',
    }),
    [],
  );
});

Deno.test("findFaults() names imports against the directions, types too", () => {
  assert.deepEqual(
    faults({
      "core/wire/a.ts": '// why\nimport type {\n  Host,\n} from "../api/mod.ts";',
      "core/swarm/b.ts": 'import { c } from "../cli/c.ts";',
      "plugins/pex/mod.ts": 'import { tcp } from "../tcp/mod.ts";\nimport { bus } from "../../core/bus/mod.ts";',
    }),
    [
      "core/wire/a.ts:2: core/wire may not import core/api",
      "core/swarm/b.ts:1: core/swarm may not import core/cli",
      'plugins/pex/mod.ts:1: a plugin may import "weft", core/wire and its own folder, not plugins/tcp/mod.ts',
      'plugins/pex/mod.ts:2: a plugin may import "weft", core/wire and its own folder, not core/bus/mod.ts',
    ],
  );
});

Deno.test("findFaults() has rooms entered by their mod.ts", () => {
  assert.deepEqual(
    faults({
      "core/store/a.ts": 'import { b } from "../wire/b.ts";\nimport type { DiskError } from "../api/host.ts";',
      "core/wire/b.ts": "",
      "core/guest/c.ts": 'import { clock } from "../host/deno/clock.ts";',
    }),
    ["core/store/a.ts:1: core/wire is entered by its mod.ts, not by core/wire/b.ts"],
  );
});

Deno.test("findFaults() finds circles, of types too, but for what loads later", () => {
  assert.deepEqual(
    faults({ "core/bus/a.ts": 'import { b } from "./b.ts";', "core/bus/b.ts": 'import { a } from "./a.ts";' }),
    ["core/bus/a.ts:1: imports itself: core/bus/a.ts -> core/bus/b.ts -> core/bus/a.ts"],
  );
  assert.deepEqual(
    faults({ "core/bus/a.ts": 'import { b } from "./b.ts";', "core/bus/b.ts": 'import type { A } from "./a.ts";' }),
    ["core/bus/a.ts:1: imports itself: core/bus/a.ts -> core/bus/b.ts -> core/bus/a.ts"],
  );
  assert.deepEqual(
    faults({ "core/bus/a.ts": 'import { b } from "./b.ts";', "core/bus/b.ts": 'const a = await import("./a.ts");' }),
    [],
  );
});

Deno.test("findFaults() keeps the platform to the host", () => {
  const source = 'const a = Deno.pid;\n// Deno.pid\nconst b = "Deno.pid";\nsetTimeout(run, 1);\nplugin.net.fetch(url);';
  assert.deepEqual(faults({ "core/swarm/a.ts": source }), [
    "core/swarm/a.ts:1: Deno.* may be used by the host alone",
    "core/swarm/a.ts:4: timers may be used by the host alone",
  ]);
  assert.deepEqual(faults({ "core/host/deno/a.ts": source }), []);
  assert.deepEqual(faults({ "core/wire/x.ts": 'import { readFile } from "node:fs";' }), [
    'core/wire/x.ts:1: "node:fs" may be imported by the host alone',
  ]);
  assert.deepEqual(faults({ "core/wire/digest.ts": 'import { createHash } from "node:crypto";' }), []);
});

Deno.test("findFaults() leaves tests free", () => {
  assert.deepEqual(faults({ "core/wire/a_test.ts": 'import { x } from "../cli/x.ts";\nDeno.test("", x);' }), []);
});
