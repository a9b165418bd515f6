import assert from "node:assert/strict";
import { CommandError, ConfigError, type Disk, type FileStat, type ReloadPlan } from "../api/mod.ts";
import { FakeRuntime } from "../../tests/support/fake_runtime.ts";
import { createSimulation } from "../host/memory/mod.ts";
import { controlApp } from "./server.ts";
import {
  claimControl,
  connectControl,
  controlAnswers,
  controlPath,
  type ProcessCommands,
  serveControl,
} from "./mod.ts";

const magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=film";
const id = "0123456789abcdef0123456789abcdef01234567";

async function withControl(
  body: (world: Awaited<ReturnType<typeof open>>) => Promise<void>,
  commands: Omit<ProcessCommands, "stop"> = {},
): Promise<void> {
  using simulation = createSimulation({ seed: 1 });
  await simulation.complete((async () => {
    const world = await open(simulation.host("here"), commands);
    await body(world);
    await world.server.close();
  })());
}

async function open(
  host: ReturnType<ReturnType<typeof createSimulation>["host"]>,
  commands: Omit<ProcessCommands, "stop">,
) {
  await host.disk.makeDirectory("/state");
  const path = controlPath("/state/weft.db", "/tmp");
  const runtime = new FakeRuntime();
  let stops = 0;
  await claimControl(host, path, "/state/weft.db");
  const server = await serveControl(host, path, runtime, { stop: () => void stops++, ...commands });
  const post = async (target: string, body: string) => {
    const response = await host.request(path, new Request(`http://weft${target}`, { method: "POST", body }));
    return { status: response.status, ...await response.json() as { error?: string; problems?: string[] } };
  };
  return { host, path, runtime, server, client: connectControl(host.net, path), post, stops: () => stops };
}

Deno.test("a client's commands reach the runtime, and its answers come back", () =>
  withControl(async ({ client, runtime, stops }) => {
    const added = await client.add({ source: magnet, path: "/d", select: [0, 2], existing: "resume" });
    assert.equal(added.id, id);
    assert.equal((await client.snapshot()).swarms[0].name, "film");
    assert.equal((await client.swarm("0123")).path, "/d");
    await client.update(id, { paused: true, limits: { down: 1000 } });
    await client.addPeers(id, ["192.0.2.1:6881"]);
    await client.recheck(id);
    await client.announce(id);
    await client.remove(id, { deleteData: true });
    await client.stop();
    assert.equal(stops(), 1);
    assert.deepEqual(runtime.calls, [
      ["add", { source: magnet, path: "/d", select: [0, 2], existing: "resume", origin: "user" }],
      ["update", id, { paused: true, limits: { down: 1000 } }],
      ["addPeers", id, ["192.0.2.1:6881"]],
      ["recheck", id],
      ["announce", id],
      ["remove", id, { deleteData: true }],
    ]);
  }));

Deno.test("a limit that is lifted crosses the socket", () =>
  withControl(async ({ client, runtime, post }) => {
    await client.add({ source: magnet });
    await client.update(id, { limits: { down: undefined, up: 5 } });
    await post("/update", `{"id":"${id}","limits":{"ratio":null}}`);
    assert.deepEqual(runtime.calls.slice(1), [
      ["update", id, { limits: { down: undefined, up: 5 } }],
      ["update", id, { limits: { ratio: undefined } }],
    ]);
  }));

Deno.test("a torrent's bytes cross the socket unchanged", () =>
  withControl(async ({ client, runtime }) => {
    const info = "d6:lengthi1e4:name1:a12:piece lengthi1e6:pieces20:\x00\x01\xff3456789012345678\xfee";
    const torrent = Uint8Array.from(`d4:info${info}e`, (character) => character.charCodeAt(0));
    await client.add({ source: torrent });
    assert.deepEqual((runtime.calls[0][1] as { source: Uint8Array }).source, torrent);
  }));

Deno.test("a failure is told as the runtime said it", () =>
  withControl(async ({ client }) => {
    await assert.rejects(client.remove("ffff"), new CommandError('There is no swarm "ffff"'));
    await assert.rejects(client.add({ source: "magnet:?dn=x" }), /Cannot read magnet/);
  }));

Deno.test("bad requests get a status of 400 and a reason, and change nothing", () =>
  withControl(async ({ post, runtime }) => {
    for (
      const [target, body, reason] of [
        ["/add", "{", /expected JSON/],
        ["/add", "[]", /expected a JSON object/],
        ["/add", "{}", /either "torrent" or "magnet"/],
        ["/add", '{"torrent":"%%"}', /"torrent" must be base64/],
        ["/add", `{"magnet":"${magnet}","paused":1}`, /"paused" must be true or false/],
        ["/add", `{"magnet":"${magnet}","origin":"profile"}`, /unknown key "origin"/],
        ["/add", `{"magnet":"${magnet}","__proto__":{}}`, /unknown key "__proto__"/],
        ["/add", `{"magnet":"${magnet}","limits":{"up":null}}`, /"limits" must be .* a number from 0 up$/],
        ["/update", '{"id":"x","limits":{"fast":1}}', /"limits" must be .* or null to lift it$/],
        ["/update", '{"paused":true}', /"id" is missing/],
        ["/update", '{"id":"x","priorities":{"0":9}}', /"priorities" must be/],
        ["/remove", '{"id":7}', /"id" must be text/],
        ["/reload", '{"profile":"/a.yaml"}', /unknown key "profile"/],
        ["/plan", '{"profile":"a.yaml"}', /"profile" must be an absolute path/],
      ] as const
    ) {
      const answer = await post(target, body);
      assert.equal(answer.status, 400, body);
      assert.match(answer.error!, reason);
    }
    assert.equal((await post("/nothing", "{}")).status, 404);
    assert.deepEqual(runtime.calls, []);
  }));

Deno.test("a body without end is refused at 90 MiB, and a wrong method is no command", async () => {
  const runtime = new FakeRuntime();
  const app = controlApp(runtime, { stop: () => assert.fail("stopped") });
  const megabyte = new Uint8Array(2 ** 20).fill(32);
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent++;
      controller.enqueue(megabyte);
    },
  });
  const endless = await app.fetch(new Request("http://weft/add", { method: "POST", body }));
  assert.equal(endless.status, 413);
  assert.ok(sent < 100, `${sent} MiB were read`);
  for (const method of ["GET", "PUT", "DELETE"]) {
    assert.equal((await app.fetch(new Request("http://weft/stop", { method }))).status, 404);
  }
  assert.deepEqual(runtime.calls, []);
});

Deno.test("reload and plan reach the process, and answer with what changes", () => {
  const plan: ReloadPlan = { changes: [{ action: "add", what: "plugin dht" }] };
  const asked: unknown[] = [];
  const commands = {
    reload: () => Promise.resolve(plan),
    plan: (profile?: string) => {
      asked.push(profile);
      return Promise.resolve({ changes: [] });
    },
  };
  return withControl(async ({ client }) => {
    assert.deepEqual(await client.reload(), plan);
    assert.deepEqual(await client.plan("/home/weft.yaml"), { changes: [] });
    await client.plan();
    assert.deepEqual(asked, ["/home/weft.yaml", undefined]);
  }, commands);
});

Deno.test("mistakes in a profile come one by one, with a status of 422", () => {
  const problems = ["a.yaml:1:1: no", "a.yaml:2:1: no"];
  const refuse = () => Promise.reject(new ConfigError(problems));
  return withControl(async ({ client, post }) => {
    assert.deepEqual(await post("/reload", "{}"), { status: 422, error: problems.join("\n"), problems });
    await assert.rejects(client.reload(), new ConfigError(problems));
    await assert.rejects(client.plan(), new ConfigError(problems));
  }, { reload: refuse, plan: refuse });
});

Deno.test("a process without a profile refuses to reload", () =>
  withControl(async ({ client, post }) => {
    assert.deepEqual(await post("/reload", "{}"), { status: 400, error: "this Weft runs no profile" });
    await assert.rejects(client.plan(), new CommandError("this Weft runs no profile"));
  }));

Deno.test("events stream in order, from where the caller asks, until it leaves", () =>
  withControl(async ({ client, runtime }) => {
    await runtime.add({ source: magnet });
    const leave = new AbortController();
    const events = client.events(leave.signal, 0);
    assert.equal((await events.next()).value?.event, "swarm.added");
    runtime.change({ state: "seeding" });
    assert.deepEqual((await events.next()).value?.data, { state: "seeding" });
    await events.return(undefined);
  }));

Deno.test("closing the server ends the event streams", () =>
  withControl(async ({ client, runtime, server }) => {
    await runtime.add({ source: magnet });
    const events = client.events(new AbortController().signal, 0);
    await events.next();
    await server.close();
    assert.equal((await events.next()).done, true);
    assert.equal(runtime.listeners, 0);
  }));

Deno.test("claimControl() refuses while another Weft answers", () =>
  withControl(async ({ host, path, server }) => {
    assert.equal(await controlAnswers(host.net, path), true);
    await assert.rejects(claimControl(host, path, "./weft.db"), /Weft already runs with this state \("\.\/weft\.db"\)/);
    await server.close();
    assert.equal(await controlAnswers(host.net, path), false);
    await claimControl(host, path, "./weft.db");
  }));

Deno.test("claimControl() replaces a socket that a killed process left, and nothing else", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("here");
  const path = "/state/weft.db.sock";
  const removed: string[] = [];
  const claim = (kind: FileStat["kind"]): Promise<void> => {
    const disk = {
      lstat: () => Promise.resolve({ kind, size: 0, modified: 0, owner: 1_000, access: 0o600 }),
      remove: (path: string) => Promise.resolve(void removed.push(path)),
    } as Pick<Disk, "lstat" | "remove"> as Disk;
    const { clock, random, net, db } = host;
    return simulation.complete(claimControl({ clock, random, net, db, disk }, path, "./weft.db"));
  };
  await claim("other");
  assert.deepEqual(removed, [path]);
  await assert.rejects(claim("file"), /as the control socket: it is a file; move it away/);
  assert.deepEqual(removed, [path]);
});

Deno.test("controlPath() keeps within what a socket's path may be", () => {
  assert.equal(controlPath("/home/ada/weft.db", "/tmp"), "/home/ada/weft.db.sock");
  const long = controlPath(`/${"x".repeat(120)}/weft.db`, "/tmp");
  assert.match(long, /^\/tmp\/weft-[0-9a-f]{16}\.sock$/);
  assert.notEqual(long, controlPath(`/${"y".repeat(120)}/weft.db`, "/tmp"));
});
