import assert from "node:assert/strict";
import { denoIsolates } from "../host/deno/isolates/mod.ts";
import { readGuestMessage } from "../sandbox/protocol.ts";

/**
 * Runs a plugin in a real sandbox, for tests: `setup` is the body of an async function, and what it returns, as JSON,
 * comes back. `imports` stand before it, `files` beside it.
 */
export async function inSandbox(
  kind: "worker" | "process",
  setup: string,
  { imports = "", files = {} }: { imports?: string; files?: Readonly<Record<string, string>> } = {},
): Promise<unknown> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "weft guest-" }));
  try {
    const source = `import { definePlugin, object } from "weft"; ${imports}
export default definePlugin({ name: "p", config: object({}), async setup(plugin) {
  const result = await (async () => { ${setup} })();
  const told = JSON.stringify(result) ?? "null";
  for (let at = 0; at < told.length; at += 1000) plugin.log.info(told.slice(at, at + 1000));
} });`;
    for (const [name, text] of Object.entries({ ...files, "plugin.ts": source })) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    let said = "";
    const end = Promise.withResolvers<void>();
    const isolate = await denoIsolates.start({
      kind,
      permissions: {},
      memory: 1 << 30,
      code: [folder],
      onMessage: (message) => {
        const notice = readGuestMessage(message, { bytes: 0 });
        if (notice.say === "log") said += notice.message;
        if (notice.say === "ready") end.resolve();
        if (notice.say === "failed") end.reject(new Error(notice.message));
      },
      onEnd: end.reject,
    });
    try {
      const url = new URL(`file://${folder}/plugin.ts?weft=1`).href;
      isolate.post({ do: "start", url, config: {}, baseDir: folder, name: "p", net: [], carried: [] });
      await end.promise;
      return JSON.parse(said.replaceAll(encodeURI(folder), "FOLDER").replaceAll(folder, "FOLDER"));
    } finally {
      isolate.kill();
      assert.equal(await isolate.gone(), true);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
