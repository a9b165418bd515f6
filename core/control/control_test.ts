import assert from "node:assert/strict";
import { CommandError, ConfigError, type Disk, type FileStat, type Host, type ReloadPlan } from "../api/mod.ts";
import { emptySwarm, FakeRuntime } from "../../tests/support/fake_runtime.ts";
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
  const path = await controlPath(host.disk, "/state/weft.db", "/tmp");
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

/** A host whose disk says of some paths what a test wants; what it removes and makes is listed. */
function hostWith(host: Host, stats: Record<string, Partial<FileStat>>, user = 1_000) {
  const done: string[] = [];
  const disk = {
    user: () => Promise.resolve(user),
    lstat: (path: string) =>
      Promise.resolve(
        stats[path] && { kind: "other", size: 0, modified: 0, owner: 1_000, access: 0o600, links: 1, ...stats[path] },
      ),
    remove: (path: string) => Promise.resolve(void done.push(`remove ${path}`)),
    makeDirectory: (path: string) => Promise.resolve(void done.push(`make ${path}`)),
  } as Partial<Disk> as Disk;
  const { clock, random, net, db } = host;
  return { host: { clock, random, net, db, disk } as Host, done };
}

const state = "/state/weft.db";
const socket = `${state}.sock`;

Deno.test("claimControl() refuses while another Weft answers", () =>
  withControl(async ({ host, path, server }) => {
    assert.equal(await controlAnswers(host, path, state), "weft");
    await assert.rejects(claimControl(host, path, state), /Weft already runs with this state \("\/state\/weft\.db"\)/);
    await server.close();
    assert.equal(await controlAnswers(host, path, state), "nobody");
    await claimControl(host, path, state);
  }));

Deno.test("claimControl() replaces a socket that a killed process left, and nothing else", async () => {
  using simulation = createSimulation({ seed: 1 });
  const here = simulation.host("here");
  const claim = async (kind: FileStat["kind"]): Promise<readonly string[]> => {
    const { host, done } = hostWith(here, { [socket]: { kind } });
    await simulation.complete(claimControl(host, socket, state));
    return done;
  };
  assert.deepEqual(await claim("other"), [`remove ${socket}`]);
  await assert.rejects(claim("file"), /as the control socket: it is a file; move it away/);
});

Deno.test("another user's socket is named as such and left alone; root may use that of whom the state belongs to", async () => {
  using simulation = createSimulation({ seed: 1 });
  const here = simulation.host("here");
  const find = async (owner: number, stateOwner: number, user: number): Promise<unknown> => {
    const { host, done } = hostWith(here, { [socket]: { owner }, [state]: { owner: stateOwner } }, user);
    const found = await simulation.complete(controlAnswers(host, socket, state));
    assert.deepEqual(done, []);
    return found;
  };
  await assert.rejects(find(1_001, 1_001, 1_000), /belongs to another user \(number 1001\)/);
  await assert.rejects(find(1_001, 0, 0), /belongs to another user \(number 1001\)/);
  assert.equal(await find(1_001, 1_001, 0), "nobody");
  assert.equal(await find(1_000, 0, 1_000), "nobody");
});

Deno.test("what answers and is no Weft, or never answers, is no stale socket", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("here");
  const claim = async (answer: () => Response | Promise<Response>): Promise<void> => {
    const server = await simulation.complete(host.net.serve({ path: socket }, answer));
    const claimed = simulation.complete(claimControl(host, socket, state));
    await claimed.finally(() => simulation.complete(server.close()));
  };
  await assert.rejects(
    claim(() => new Response("hello")),
    /holds "\/state\/weft\.db\.sock" doesn't answer as Weft does/,
  );
  await assert.rejects(claim(() => new Response("{}")), /it says no version/);
  await assert.rejects(claim(() => new Promise(() => {})), /no answer within 5 s/);
});

Deno.test("where the state's path is too long for a socket, it stands in a folder that is the user's alone", async () => {
  using simulation = createSimulation({ seed: 1 });
  const here = simulation.host("here");
  const long = `/${"x".repeat(120)}/weft.db`;
  const place = (stats: Record<string, Partial<FileStat>>, of = long) => {
    const { host } = hostWith(here, stats);
    return simulation.complete(controlPath(host.disk, of, "/tmp"));
  };
  const folder = (access: number, owner = 1_000) => ({ kind: "directory" as const, access, owner });
  assert.equal(await place({}, "/home/ada/weft.db"), "/home/ada/weft.db.sock");
  assert.match(await place({}), /^\/tmp\/weft-1000\/weft-[0-9a-f]{16}\.sock$/);
  assert.match(await place({ "/run/user/1000": folder(0o700) }), /^\/run\/user\/1000\/weft-[0-9a-f]{16}\.sock$/);
  assert.match(await place({ "/run/user/1000": folder(0o777) }), /^\/tmp\/weft-1000\//);
  assert.match(await place({ "/tmp/weft-1000": folder(0o700) }), /^\/tmp\/weft-1000\//);
  assert.notEqual(await place({}), await place({}, `/${"y".repeat(120)}/weft.db`));
  const refused = /Cannot use "\/tmp\/weft-1000" for the control socket: it must be a folder that belongs to you/;
  await assert.rejects(place({ "/tmp/weft-1000": folder(0o755) }), refused);
  await assert.rejects(place({ "/tmp/weft-1000": folder(0o700, 1_001) }), refused);
  await assert.rejects(place({ "/tmp/weft-1000": { kind: "symlink", access: 0o777 } }), refused);
});

Deno.test("the folder for the socket is made for one user, and looked at once it is there", async () => {
  using simulation = createSimulation({ seed: 1 });
  const here = simulation.host("here");
  const path = "/tmp/weft-1000/weft-0.sock";
  const folder = { kind: "directory" as const, access: 0o700 };
  const mine = hostWith(here, { "/tmp/weft-1000": folder });
  await simulation.complete(claimControl(mine.host, path, state));
  assert.deepEqual(mine.done, ["make /tmp/weft-1000"]);
  // Another one was faster.
  const taken = hostWith(here, { "/tmp/weft-1000": { ...folder, owner: 1_001 } });
  await assert.rejects(simulation.complete(claimControl(taken.host, path, state)), /belongs to you and is closed/);
});

Deno.test("an answer that isn't what Weft says is an error that names the key, and never data", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("here");
  let body = "";
  await simulation.complete(host.net.serve({ path: socket }, () => new Response(body)));
  const client = connectControl(host.net, socket);
  const { id: _, ...nameless } = emptySwarm;
  const asked: [answer: unknown, ask: () => Promise<unknown>, expected: RegExp][] = [
    [
      "hello",
      () => client.add({ source: magnet }),
      /Cannot understand what answers at "\/state\/weft\.db\.sock": it must/,
    ],
    [{}, () => client.snapshot(), /"sequence" must be a number from 0 up; is it the same version of Weft\?/],
    [nameless, () => client.add({ source: magnet }), /"id" must be text/],
    [{ ...emptySwarm, state: "sleeping" }, () => client.swarm("0123"), /"state" must be "metadata" or/],
    [{ ...emptySwarm, peers: [{}] }, () => client.swarm("0123"), /"peers\[0\]\.address" must be text/],
    [{ changes: [{ action: "eat", what: "x" }] }, () => client.reload(), /"changes\[0\]\.action" must be "add" or/],
    [{ sequence: 1 }, () => client.events(new AbortController().signal).next(), /"time" must be/],
  ];
  for (const [answer, ask, expected] of asked) {
    body = JSON.stringify(answer) + "\n";
    await assert.rejects(
      simulation.complete(ask()),
      (error) => error instanceof CommandError && expected.test(error.message),
    );
  }
  body = "{";
  await assert.rejects(simulation.complete(client.snapshot()), /Cannot understand what answers/);
});
