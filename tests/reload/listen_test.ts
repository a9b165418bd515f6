import assert from "node:assert/strict";
import type { Host, Runtime, Settings } from "../../core/api/mod.ts";
import { pluginResolver } from "../../core/profile/mod.ts";
import { loadProfile } from "../../core/config/mod.ts";
import { denoHost } from "../../core/host/deno/mod.ts";
import { startRuntime } from "../../core/runtime/mod.ts";
import { builtins } from "../../plugins/mod.ts";

/** The settings of a Weft that listens there over TCP and UDP. */
async function settings(host: Host, folder: string, listen: readonly string[]): Promise<Settings> {
  const resolvePlugin = pluginResolver({ builtins, host, version: "0" });
  const store = { path: `${folder}/data`, state: `${folder}/state.db` };
  const value = { listen, store, plugins: [{ use: "tcp" }, { use: "utp" }] };
  return await loadProfile({ value, file: "profile", baseDir: folder, resolvePlugin });
}

/** Whether somebody accepts connections there. */
async function answers(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch {
    return false;
  }
}

/** Whether the UDP port is held, which IPv4's loopback is part of. */
function isHeld(port: number): boolean {
  try {
    Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port }).close();
    return false;
  } catch {
    return true;
  }
}

Deno.test("real listeners move between addresses that overlap, and come back when a reload is refused", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-listen-" });
  const host = denoHost();
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const takenUdp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  let runtime: Runtime | undefined;
  try {
    const { port } = (() => {
      using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      return free.addr;
    })();
    runtime = await startRuntime({
      host,
      settings: await settings(host, folder, [`[::]:${port}`]),
      version: "0",
      builtins,
    });
    const reload = async (...listen: string[]) => await runtime!.reload(await settings(host, folder, listen));
    for (
      const [listen, ipv6] of [
        [`0.0.0.0:${port}`, false],
        [`[::]:${port}`, true],
        [`127.0.0.1:${port}`, false],
        [`[::]:${port}`, true],
      ] as const
    ) {
      for (const inTheWay of [taken.addr.port, (takenUdp.addr as Deno.NetAddr).port]) {
        const { listening } = runtime.snapshot();
        await assert.rejects(reload(listen, `127.0.0.1:${inTheWay}`), new RegExp(`listen on .*${inTheWay}`));
        assert.deepEqual(runtime.snapshot().listening, listening);
        assert.deepEqual([await answers("127.0.0.1", port), await answers("::1", port)], [true, !ipv6], listen);
        assert.ok(isHeld(port));
      }
      await reload(listen);
      assert.deepEqual([await answers("127.0.0.1", port), await answers("::1", port)], [true, ipv6], listen);
      assert.ok(isHeld(port));
    }
    await reload("127.0.0.1:0");
    assert.deepEqual([await answers("127.0.0.1", port), isHeld(port)], [false, false]);
  } finally {
    await runtime?.stop();
    await host.close();
    taken.close();
    takenUdp.close();
    await Deno.remove(folder, { recursive: true });
  }
});
