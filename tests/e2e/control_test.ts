import assert from "node:assert/strict";
import { run, RunningWeft, WEFT } from "../support/running_weft.ts";

const linux = { ignore: Deno.build.os !== "linux" };

const profile = (tracker: number): string => `
listen: "127.0.0.1:0"
store: { state: ./state/weft.db }
plugins:
  - use: tcp
  - use: tracker_server
    with: { listen: "127.0.0.1:${tracker}", udp: false }
`;

/** A Weft in an empty folder, started through a shell that first does as `before` says. */
async function started(before: string) {
  const folder = await Deno.makeTempDir({ prefix: "weft-control-" });
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr;
  probe.close();
  await Deno.writeTextFile(`${folder}/weft.yaml`, profile(port));
  const running = new RunningWeft(folder, ["bash", "-c", `${before}; exec "$@"`, "bash", ...WEFT, "run", "weft.yaml"]);
  await running.says(/^listening on/);
  return {
    folder,
    running,
    port,
    async [Symbol.asyncDispose](): Promise<void> {
      await running[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

const about = async (port: number): Promise<number> => {
  const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) });
  await response.body?.cancel();
  return response.status;
};

Deno.test({
  ...linux,
  name: "state and socket are one user's alone whatever the umask, and state that stood open is closed",
  async fn() {
    await using weft = await started("umask 0");
    const { folder, running } = weft;
    const access = async (name: string): Promise<string> =>
      ((await Deno.lstat(`${folder}/${name}`)).mode! & 0o777).toString(8);
    const kept = ["state/weft.db", "state/weft.db-wal", "state/weft.db.sock"];
    assert.deepEqual(await Promise.all(["state", ...kept].map(access)), ["700", "600", "600", "600"]);
    running.signal("SIGINT");
    assert.equal(await running.end(), 0);
    await Deno.chmod(`${folder}/state/weft.db`, 0o644);
    await using again = new RunningWeft(folder, [...WEFT, "run", "weft.yaml"]);
    await again.says(/^listening on/);
    assert.equal(await access("state/weft.db"), "600");
    again.signal("SIGINT");
    assert.equal(await again.end(), 0);
  },
});

Deno.test({
  ...linux,
  name: "silent connections, more than there are descriptors for, leave the tracker, control and state at work",
  async fn() {
    await using weft = await started("ulimit -n 64");
    const { folder, running, port } = weft;
    assert.match(running.lines.join("\n"), /this process may have only \d+ more files and sockets open/);
    const silent = await Promise.all(Array.from({ length: 200 }, () => Deno.connect({ hostname: "127.0.0.1", port })));
    try {
      const [status, { code, out }] = await Promise.all([
        about(port),
        run(folder, [...WEFT, "status", "--state", "state/weft.db"]),
      ]);
      assert.equal(status, 200);
      assert.equal(code, 0);
      assert.match(out, /tracker_server/);
    } finally {
      for (const connection of silent) connection.close();
    }
    assert.equal(await about(port), 200);
    running.signal("SIGINT");
    assert.equal(await running.end(), 0);
  },
});

Deno.test({
  ...linux,
  name: "half a request on the control socket holds up no stop",
  async fn() {
    await using weft = await started("true");
    const { folder, running } = weft;
    using socket = await Deno.connect({ transport: "unix", path: `${folder}/state/weft.db.sock` });
    const half = "POST /add HTTP/1.1\r\nhost: weft\r\ncontent-length: 100\r\n\r\nhalf";
    await socket.write(new TextEncoder().encode(half));
    running.signal("SIGINT");
    // Far below the time that a body may take; else the process would be killed, with another code.
    assert.equal(await running.end(), 0);
  },
});

Deno.test({
  ...linux,
  ignore: linux.ignore || Deno.uid() !== 0,
  name: "another user's Weft is named, and its socket left alone",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "weft-control-" });
    const path = `${folder}/weft.db.sock`;
    // What an impostor, or another user's Weft, would have put there.
    using _socket = Deno.listen({ transport: "unix", path });
    await Deno.chown(path, 65_534, 65_534);
    await Deno.writeTextFile(`${folder}/weft.yaml`, `listen: "127.0.0.1:0"\nplugins:\n  - use: tcp\n`);
    for (const command of [["run", "weft.yaml"], ["status"]]) {
      const { code, error } = await run(folder, [...WEFT, ...command]);
      assert.equal(code, 1);
      assert.match(error, /weft\.db\.sock" belongs to another user \(number 65534\)/);
    }
    assert.ok((await Deno.lstat(path)).isSocket);
    await Deno.remove(folder, { recursive: true });
  },
});
