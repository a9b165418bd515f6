import assert from "node:assert/strict";
import * as modules from "node:module";
import type { Isolate } from "../api/host.ts";
import { denoIsolates } from "../host/deno/isolates/mod.ts";
import { readGuestMessage } from "../sandbox/protocol.ts";

/** What a plugin does in its setup, and the files beside it. */
const LOOPS: readonly (readonly [name: string, setup: string, files?: Readonly<Record<string, string>>])[] = [
  ["for", "for (;;);"],
  ["while, with a body of its own", "let n = 0; while (true) n++;"],
  ["do", "do ; while (1)"],
  ["for of, over a source without end", "for (const _ of (function* () { for (;;) yield 1; })());"],
  ["within try and finally", "for (;;) try { for (;;); } finally { continue; }"],
  ["with a catch for everything", "for (;;) { try { JSON.parse(''); } catch {} }"],
  ["awaiting what is there", "(async () => { for (;;) await 0; })();"],
  ["a function that calls itself by a promise", "const again = () => Promise.resolve().then(again); again();"],
  ["what a timer calls", "setTimeout(() => { now(); for (;;); });"],
  ["a getter, a static block, an arrow", "class A { static { const f = () => { for (;;); }; f(); } } new A();"],
  ["in a file that it imports", "loop();", { "loop.ts": "export const loop = (): never => { for (;;); };" }],
  ["a long step", "loop('a', 'b', 5e5, 64, 'sha512');", {
    "loop.ts": 'export { pbkdf2Sync as loop } from "node:crypto";',
  }],
  ["waits, and takes no messages", "self.onmessage = () => {};"],
  ["ends itself", "setTimeout(() => self.close(), 5); now();"],
  ["leaves the program", "setTimeout(() => Deno.exit(), 5); now();"],
  ["loops with its own Atomics", "Atomics.load = () => 0; self.close = () => {}; for (;;);"],
];

/** Begins a plugin in a worker; resolves once it says that it loops now. */
async function begin(folder: string, setup: string, files: Readonly<Record<string, string>>): Promise<Isolate> {
  const source = `import { definePlugin, object } from "weft";
${files["loop.ts"] ? 'import { loop } from "./loop.ts";' : ""}
export default definePlugin({ name: "p", config: object({}), setup });
function setup(plugin: any) {
  const now = () => plugin.log.info("now");
  ${setup.includes("now()") ? "" : "now();"}
  ${setup}
}
`;
  for (const [name, text] of Object.entries({ ...files, "plugin.ts": source })) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  const began = Promise.withResolvers<void>();
  const isolate = await denoIsolates.start({
    kind: "worker",
    permissions: {},
    memory: 0,
    code: [folder],
    onMessage: (message) => {
      const { say, ...rest } = readGuestMessage(message, { bytes: 0 });
      if (say === "log") began.resolve();
      if (say === "failed") began.reject(new Error(JSON.stringify(rest)));
    },
    onEnd: began.reject,
  });
  const url = `file://${folder}/plugin.ts`;
  isolate.post({ do: "start", url, config: {}, baseDir: folder, name: "p", net: [], carried: [] });
  await began.promise;
  return isolate;
}

/** Threads of workers in this process. */
async function threads(): Promise<number> {
  let count = 0;
  for await (const { name } of Deno.readDir("/proc/self/task")) {
    const thread = await Deno.readTextFile(`/proc/self/task/${name}/comm`).catch(() => "");
    if (thread.startsWith("worker")) count++;
  }
  return count;
}

for (const [name, setup, files = {}] of LOOPS) {
  Deno.test({
    name: `a worker ends, whatever it does: ${name}`,
    ignore: !("registerHooks" in modules),
    async fn() {
      const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "weft-safepoint-" }));
      try {
        const before = await threads();
        const isolate = await begin(folder, setup, files);
        assert.equal(await threads(), before + 1);
        isolate.kill();
        assert.equal(await isolate.gone(), true);
        while (await threads() > before) await new Promise((resolve) => setTimeout(resolve, 10));
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
