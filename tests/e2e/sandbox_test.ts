import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { RunningWeft, WEFT } from "../support/running_weft.ts";

const root = new URL("../../", import.meta.url).pathname;
const roster = `import { definePlugin, discoverPeers, duration, object, parsePeerAddress, url } from "weft";

export default definePlugin({
  name: "roster",
  config: object({ url: url({ schemes: ["http:"] }), every: duration({ default: "5m", min: "30s" }) }),
  setup(plugin) {
    plugin.on(discoverPeers, async function* ({ id }, signal) {
      const query = new URL(plugin.config.url);
      query.searchParams.set("info_hash", id.hex);
      const answer = await plugin.net.fetch(query, { signal });
      for (const text of answer.json() as string[]) yield { address: parsePeerAddress(text) };
      return { again: plugin.config.every };
    });
  },
});
`;

// One byte that nobody has, in one piece.
const info = `d6:lengthi1e4:name1:x12:piece lengthi16384e6:pieces20:${"a".repeat(20)}e`;

interface Run {
  readonly child: Deno.ChildProcess;
  readonly ended: Promise<{ readonly code: number; readonly out: string; readonly error: string }>;
}

/** Weft in a folder of its own with one profile. */
class Place implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(files: Readonly<Record<string, string>>): Promise<Place> {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "weft-sandbox-" }));
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    return new Place(folder);
  }

  /** Runs a command of Weft, in this folder and not in that of its code. */
  run(args: readonly string[], permissions: readonly string[] = []): Run {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--allow-read",
        "--allow-write",
        "--allow-env=LOG_STREAM,LOG_TOKENS",
        ...permissions,
        `${root}mod.ts`,
        ...args,
      ],
      cwd: this.folder,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const ended = child.output().then(({ code, stdout, stderr }) => {
      const text = new TextDecoder();
      return { code, out: text.decode(stdout), error: text.decode(stderr) };
    });
    return { child, ended };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

function profile(entry: object, more: object = {}): string {
  const store = { path: "./data", state: "./weft.db" };
  return JSON.stringify({ listen: "127.0.0.1:0", store, ...more, plugins: [{ use: "tcp" }, entry] });
}

for (const isolate of ["none", "worker", "process"]) {
  Deno.test(`the same plugin finds a peer with isolate: ${isolate}`, async () => {
    const peer = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const asked: string[] = [];
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
      asked.push(new URL(url).searchParams.get("info_hash")!);
      return Response.json([`127.0.0.1:${peer.addr.port}`]);
    });
    const at = `127.0.0.1:${server.addr.port}`;
    const entry = {
      use: "./plugin/roster.ts",
      isolate,
      ...(isolate !== "none" && { permissions: { net: [at] } }),
      with: { url: `http://${at}/` },
    };
    await using place = await Place.make({
      "plugin/roster.ts": roster,
      "x.torrent": `d4:info${info}e`,
      "weft.yaml": profile(entry, { egress: { allow: ["loopback"] }, swarms: [{ add: "./x.torrent" }] }),
    });
    const { child, ended } = place.run(["run", "weft.yaml"], ["--allow-net", `--allow-run=${Deno.execPath()}`]);
    try {
      const found = await Promise.race([peer.accept(), ended]);
      if (!("close" in found)) assert.fail(found.error);
      found.close(); // the plugin's peer was dialed
      assert.deepEqual(asked, [createHash("sha1").update(info).digest("hex")]);
    } finally {
      child.kill("SIGINT");
      await ended;
      peer.close();
      await server.shutdown();
    }
  });
}

Deno.test("mistakes in with come with their place, from code that Weft itself never loads", async () => {
  const trap =
    `${roster}\nif (typeof Deno !== "undefined" && Deno.permissions.querySync({ name: "write" }).state === "granted") {
  Deno.writeTextFileSync(new URL("./loaded", import.meta.url), "");
}`;
  const text = `plugins:
  - use: tcp
  - use: ./plugin/roster.ts
    isolate: worker
    with: { url: "ftp://x/", evry: 10m }
`;
  await using place = await Place.make({ "plugin/roster.ts": trap, "weft.yaml": text });
  const { code, error } = await place.run(["check", "weft.yaml"], ["--allow-net"]).ended;
  assert.equal(code, 2);
  assert.match(error, /weft\.yaml:5:\d+: unknown key "evry" in plugins\[1\]\.with, did you mean "every"\?/);
  assert.match(error, /weft\.yaml:5:\d+: plugins\[1\]\.with\.url must be a URL that begins with http:\/\//);
  await assert.rejects(Deno.stat(`${place.folder}/plugin/loaded`), Deno.errors.NotFound);
});

Deno.test("what Weft may not do itself it can't grant, and it says which flag would", async () => {
  const entry = (isolate: string, permissions: object) => ({
    use: "./plugin/roster.ts",
    isolate,
    permissions,
    with: { url: "http://x/" },
  });
  const files = {
    "plugin/roster.ts": roster,
    "net.yaml": profile(entry("worker", { net: ["example.org:80"] })),
    "env.yaml": profile(entry("worker", { env: ["HOME"] })),
    "run.yaml": profile(entry("process", {})),
  };
  await using place = await Place.make(files);
  const check = async (name: string, ...permissions: string[]): Promise<string> =>
    (await place.run(["check", name], permissions).ended).error;
  const [net, env, run] = await Promise.all([
    check("net.yaml", "--allow-net=127.0.0.1"),
    check("env.yaml", "--allow-net"),
    check("run.yaml", "--allow-net"),
  ]);
  assert.match(
    net,
    /Cannot grant net access to "example\.org:80": Weft does not have it itself; run it with --allow-net=/,
  );
  assert.match(env, /Cannot grant env access to "HOME": .* run it with --allow-env=HOME/);
  assert.match(run, /Cannot start a process: .* run it with --allow-run=.*deno, or write "isolate: worker"/);
});

Deno.test("Node's modules that compute work in a worker, with callbacks and streams", async () => {
  const source = `import { EventEmitter } from "node:events";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, gzip } from "node:zlib";
import { definePlugin, object } from "weft";
export default definePlugin({
  name: "computing",
  config: object({}),
  async setup(plugin) {
    const packed = await new Promise((resolve) => gzip("some text", (error, bytes) => resolve(error ?? bytes)));
    let text = "";
    const sink = new Writable({ write: (chunk, _, done) => (text += chunk, done()) });
    await pipeline(Readable.from([packed]), createGunzip(), sink);
    const emitter = new EventEmitter();
    for (let i = 0; i < 12; i++) emitter.on("x", () => {});
    plugin.log.warn(text + " " + emitter.listenerCount("x"));
  },
});`;
  const entry = { use: "./plugin/computing.js", isolate: "worker" };
  await using place = await Place.make({ "plugin/computing.js": source, "weft.yaml": profile(entry) });
  await using running = new RunningWeft(place.folder, [...WEFT, "run", "weft.yaml"]);
  await running.says(/computing\.js: some text 12$/);
  running.signal("SIGINT");
  assert.equal(await running.end(), 0);
});

Deno.test("what nobody catches in a worker is told in one line, without what a terminal would obey", async () => {
  const source = `import { definePlugin, object } from "weft";
Reflect.set(Event.prototype, "preventDefault", () => {});
export default definePlugin({
  name: "stray",
  config: object({}),
  setup: () => void setTimeout(() => Promise.reject(new Error("\\x1b]0;title\\x07")), 100),
});`;
  const entry = { use: "./plugin/stray.ts", isolate: "worker" };
  await using place = await Place.make({ "plugin/stray.ts": source, "weft.yaml": profile(entry) });
  await using running = new RunningWeft(place.folder, [...WEFT, "run", "weft.yaml"]);
  await running.says(/^weft: \.\/plugin\/stray\.ts: it ended: it failed with nobody to catch it: .*title/);
  await running.says(/^weft: \.\/plugin\/stray\.ts: it ended: /); // twice, so that all of the first has come
  running.signal("SIGINT");
  await running.end();
  for (const line of running.lines) assert.match(line, /^(?:weft: \.\/plugin|listening on|stopping)/);
  assert.ok(!running.lines.some((line) => line.includes("\x1b") || line.includes("\x07")));
});

Deno.test({
  name: "a plugin's process ends when Weft is killed",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const source = `import { definePlugin, object } from "weft";
export default definePlugin({ name: "pid", config: object({}), setup: (plugin) => plugin.log.info("PID " + Deno.pid) });`;
    const entry = { use: "./plugin/pid.ts", isolate: "process" };
    await using place = await Place.make({ "plugin/pid.ts": source, "weft.yaml": profile(entry) });
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", `${root}mod.ts`, "run", "weft.yaml", "--json"],
      cwd: place.folder,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let text = "";
    let pid = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const said = /PID (\d+)\b[^\d]/.exec(text);
      if (!said || pid !== "") continue;
      pid = said[1];
      assert.match(await Deno.readTextFile(`/proc/${pid}/cmdline`), /process\.ts/);
      child.kill("SIGKILL");
    }
    await child.status;
    assert.notEqual(pid, "");
    // Its end is the system's to tell; there is nothing to await.
    for (let tries = 0; await isRunning(pid); tries++) {
      assert.ok(tries < 1_000, "the process runs on");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
});

async function isRunning(pid: string): Promise<boolean> {
  try {
    return !/^State:\s+[ZX]/m.test(await Deno.readTextFile(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
