import * as modules from "node:module";
import { testEscapes } from "./harness.ts";
import { gaps } from "./table.ts";

const root = new URL("../../../", import.meta.url).pathname;
const weft = [
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
const open = "registerHooks" in modules ? [] : gaps.old;

for (const isolate of ["worker", "process"] as const) {
  Deno.test(`nothing gets out of a ${isolate}`, async (t) => {
    await testEscapes(t, weft, isolate, open);
  });
}
