import assert from "node:assert/strict";
import { NetError } from "../api/mod.ts";
import { parseMetainfo } from "../wire/mod.ts";
import { inWorld, type World, write } from "./test_world.ts";

/** A folder with two files, and its torrent in /home/data.torrent. */
async function makeTorrent(world: World): Promise<Uint8Array> {
  await write(world, "/home/data/b.txt", "bee");
  await write(world, "/home/data/a/long.bin", new Uint8Array(40_000).fill(7));
  const { code } = await world.done("create", "data", "--tracker", "http://tracker.example/announce");
  assert.equal(code, 0);
  return await world.simulation.complete(world.host.disk.readFile("/home/data.torrent"));
}

Deno.test("weft --help explains, weft --version says which", () =>
  inWorld(async ({ done }) => {
    const help = await done("--help");
    assert.equal(help.code, 0);
    assert.match(help.out, /weft get debian\.torrent --out downloads/);
    assert.equal((await done("--version")).out, "weft 1.2.3\n");
    assert.equal((await done()).code, 2);
    for (const command of "get seed create show run check plugins status list add remove reload plan demo".split(" ")) {
      assert.equal((await done(command, "--help")).code, 0, command);
    }
  }));

Deno.test("a slip in a command or an option exits 2 and says what was meant", () =>
  inWorld(async ({ done }) => {
    const command = await done("sed", "x.torrent");
    assert.equal(command.code, 2);
    assert.match(command.error, /^weft: unknown command 'sed'\n\(Did you mean seed\?\)/);
    const option = await done("get", "x.torrent", "--out", "d", "--sed");
    assert.equal(option.code, 2);
    assert.match(option.error, /Did you mean --seed\?/);
    assert.match((await done("get", "x", "--out", "d", "--down", "fast")).error, /--down .*10 MB\/s.*"fast"/);
    assert.match((await done("get", "x", "--out", "d", "--peer", "there")).error, /--peer .*"there"/);
    assert.match((await done("get", "x", "--out", "d", "--listen", "there")).error, /--listen .*"there"/);
    assert.match((await done("get", "x.torrent")).error, /required option '--out <dir>'/);
  }));

Deno.test("create makes a torrent whose files are in the order of their names", () =>
  inWorld(async (world) => {
    const { info, announce } = parseMetainfo(await makeTorrent(world));
    assert.deepEqual(info.files.map(({ path }) => path.join("/")), ["a/long.bin", "b.txt"]);
    assert.equal(info.pieceCount, 3);
    assert.deepEqual(announce, [["http://tracker.example/announce"]]);
    assert.match(world.terminal.output, new RegExp(`info-hash +${info.id.hex}\nmagnet +magnet:\\?xt=urn:btih:`));
  }));

Deno.test("create overwrites only when told, and makes no torrent of nothing", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    const again = await world.done("create", "data");
    assert.equal(again.code, 2);
    assert.match(again.error, /"data\.torrent" exists; use --force/);
    assert.equal((await world.done("create", "data", "--force")).code, 0);
    await write(world, "/home/empty/file", "");
    assert.match((await world.done("create", "empty")).error, /there is nothing in it/);
    assert.match((await world.done("create", "nowhere")).error, /There is no file or folder/);
    assert.match(
      (await world.done("create", "data", "--out", "nowhere/x.torrent")).error,
      /There is no folder "\/home\/nowhere" to write "x\.torrent" in/,
    );
    assert.match((await world.done("create", "data", "--force", "--piece-length", "20000")).error, /power of two/);
  }));

Deno.test("show numbers the files, and reads magnets", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    const { out } = await world.done("show", "data.torrent");
    assert.match(out, /1 +39\.1 KiB +a\/long\.bin\n2 +3 B +b\.txt\n$/);
    const json = JSON.parse((await world.done("show", "data.torrent", "--json")).out);
    assert.equal(json.length, 40_003);
    assert.deepEqual(json.files[1], { number: 2, path: "b.txt", length: 3, pad: false });
    assert.match((await world.done("show", json.magnet)).out, new RegExp(`info-hash +${json.infoHash}`));
    const missing = await world.done("show", "nothing.torrent");
    assert.deepEqual([missing.code, missing.error], [
      2,
      'weft: There is no file "nothing.torrent": expected a .torrent file or a magnet link\n',
    ]);
    await write(world, "/home/bad.torrent", "d4:infoi1ee");
    const bad = await world.done("show", "bad.torrent");
    assert.equal(bad.code, 1);
    assert.match(bad.error, /^weft: "bad\.torrent" is no good torrent: /);
  }));

Deno.test("check lists every mistake of a profile with its place", () =>
  inWorld(async (world) => {
    await write(world, "/home/good.yaml", "plugins:\n  - use: tcp\n");
    assert.equal((await world.done("check", "good.yaml")).out, "good.yaml is fine: 1 plugin, 0 swarms\n");
    await write(world, "/home/bad.yaml", "lisen: 1\nplugins:\n  - use: tpc\n  - use: ./gone.js\n");
    const { code, error } = await world.done("check", "bad.yaml");
    assert.equal(code, 2);
    assert.match(error, /^bad\.yaml:1:1: .*"lisen".*did you mean "listen"\?$/m);
    assert.match(error, /^bad\.yaml:3:10: unknown plugin "tpc", did you mean "tcp"\?$/m);
    assert.match(error, /^bad\.yaml:4:10: cannot load "\/home\/gone\.js"/m);
    await write(world, "/home/gone.yaml", "plugins:\n  - use: tcp\nswarms:\n  - add: gone.torrent\n");
    await write(world, "/home/needy.yaml", "plugins:\n  - use: needy\n");
    assert.deepEqual(await world.done("check", "needy.yaml").then(({ code, error }) => [code, error]), [
      2,
      'needy.yaml:2:5: cannot start "needy": it needs transports, which no entry provides; add "- use: tcp"\n',
    ]);
    assert.match((await world.done("check", "gone.yaml")).error, /^gone\.yaml:4:5: cannot add "\/home\/gone\.torrent"/);
  }));

Deno.test("a port that is taken is told with its place in the profile, or with the flag that chooses another", () => {
  const taken = (): never => {
    throw new NetError("inUse", 'Cannot listen on "::" port 7000: the address is already in use');
  };
  return inWorld(
    async (world) => {
      await write(world, "/home/weft.yaml", "plugins:\n  - use: tcp\nlisten: 7000\n");
      const ran = await world.done("run", "weft.yaml");
      assert.deepEqual([ran.code, ran.error], [
        2,
        'weft.yaml:3:9: Cannot listen on "::" port 7000: the address is already in use\n',
      ]);
      await makeTorrent(world);
      const got = await world.done("get", "data.torrent", "--out", "d", "--listen", "[::]:7000");
      assert.deepEqual([got.code, /choose another address with --listen/.test(got.error)], [1, true], got.error);
    },
    undefined,
    taken,
  );
});

Deno.test("get adds the torrent, and exits 0 once it is complete", () =>
  inWorld(async (world) => {
    const torrent = await makeTorrent(world);
    const { simulation, weft, runtime, started, terminal } = world;
    const exit = weft(
      "get",
      "data.torrent",
      "--out",
      "got",
      "--peer",
      "192.0.2.1:1",
      "--select",
      "*.txt",
      "--up",
      "1 MB/s",
    );
    await simulation.runUntil(() => runtime.swarms.size > 0);
    const { id } = parseMetainfo(torrent).info;
    const { settings } = started[0];
    assert.deepEqual(settings.store, { path: "/home/got", state: `/home/got/.weft/${id.key}.db` });
    assert.deepEqual(settings.listen, [{ ip: "::", port: 6881 }]);
    assert.deepEqual(settings.plugins.map(({ use }) => use), ["tcp"], "peers needs settings");
    assert.deepEqual(runtime.calls[0], ["add", {
      source: torrent,
      path: "/home/got",
      origin: "user",
      existing: "resume",
      select: [1],
      peers: ["192.0.2.1:1"],
      limits: { up: 1_000_000 },
    }]);
    runtime.change({ state: "seeding", piecesDone: 4, wantedDone: 40_003 });
    assert.equal(await simulation.complete(exit), 0);
    assert.match(terminal.output, /data: complete and verified/);
    assert.equal(runtime.stopped, true);
    assert.equal(simulation.pendingTimers, 0);
  }));

Deno.test("get goes on with what an earlier run kept in its state", () =>
  inWorld(async (world) => {
    const torrent = await makeTorrent(world);
    const { simulation, weft, runtime } = world;
    await runtime.add({ source: torrent, path: "/home/got" });
    runtime.calls.length = 0;
    const exit = weft("get", "data.torrent", "--out", "got", "--peer", "192.0.2.1:1");
    await simulation.run(100);
    const { key } = parseMetainfo(torrent).info.id;
    assert.deepEqual(runtime.calls, [
      ["addPeers", key, ["192.0.2.1:1"]],
      ["update", key, {
        paused: false,
        select: [],
        sequential: false,
        allowLocal: false,
        limits: { down: undefined, up: undefined },
      }],
    ]);
    runtime.change({ state: "seeding" });
    assert.equal(await simulation.complete(exit), 0);
  }));

Deno.test("get with the .torrent replaces a magnet whose metadata never came", () =>
  inWorld(async (world) => {
    const torrent = await makeTorrent(world);
    const { simulation, weft, runtime } = world;
    const { key } = parseMetainfo(torrent).info.id;
    await runtime.add({ source: `magnet:?xt=urn:btih:${key}`, path: "/home/got" });
    runtime.change({ pieces: 0, state: "failed" });
    runtime.calls.length = 0;
    const exit = weft("get", "data.torrent", "--out", "got");
    await simulation.run(100);
    assert.deepEqual(runtime.calls.map(([command]) => command), ["remove", "add"]);
    runtime.change({ state: "seeding" });
    assert.equal(await simulation.complete(exit), 0);
  }));

Deno.test("get exits 1 with the reason when the swarm fails, even when state can't be saved either", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    world.runtime.stop = () => Promise.reject(new Error("database or disk is full"));
    const exit = world.weft("get", "data.torrent", "--out", "got");
    await world.simulation.runUntil(() => world.runtime.swarms.size > 0);
    world.runtime.change({ state: "failed", error: 'No space left for "/home/got/data"' });
    assert.equal(await world.simulation.complete(exit), 1);
    assert.match(world.terminal.errors, /weft: database or disk is full\nweft: data: failed: No space left/);
  }));

for (const [answer, code] of [["y", 0], ["n", 1]] as const) {
  Deno.test(`get asks before it overwrites, and "${answer}" is taken for what it says`, () =>
    inWorld(async (world) => {
      await makeTorrent(world);
      const { simulation, weft, runtime, terminal } = world;
      terminal.answers.push(answer);
      const exit = weft("get", "data.torrent", "--out", "got");
      await simulation.runUntil(() => runtime.swarms.size > 0);
      runtime.update = (id, { force }) => {
        if (force) runtime.change({ state: "seeding", error: undefined, obstacles: undefined });
        return Promise.resolve(runtime.swarm(id));
      };
      runtime.change({ state: "failed", error: "it is in the way", obstacles: ["/home/got/data"] });
      assert.equal(await simulation.complete(exit), code);
      assert.match(terminal.output, /aren't this torrent's:\n {2}\/home\/got\/data\nOverwrite them\? \(y or n\)/);
    }, { interactive: true }));
}

Deno.test("a folder that can't hold state is an error that says where else it can be", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    await write(world, "/home/taken", "a file");
    const { code, error } = await world.done("get", "data.torrent", "--out", "taken");
    assert.equal(code, 1);
    assert.match(error, /"\/home\/taken\/\.weft".*; state can be kept elsewhere: --state/);
  }));

Deno.test("an interrupt stops gracefully with 130, a second one at once", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    const { simulation, weft, runtime, terminal } = world;
    const first = weft("get", "data.torrent", "--out", "got");
    await simulation.runUntil(() => runtime.swarms.size > 0);
    await simulation.run(100);
    terminal.signal("SIGINT");
    assert.equal(await simulation.complete(first), 130);
    assert.equal(runtime.stopped, true);

    runtime.stop = () => new Promise(() => {});
    const second = weft("get", "data.torrent", "--out", "other");
    await simulation.run(100);
    terminal.signal("SIGTERM");
    await simulation.run(100);
    terminal.signal("SIGTERM");
    assert.equal(await simulation.complete(second), 130);
  }));

Deno.test("--json writes events, progress each second, and how it ended", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    const { simulation, weft, runtime, terminal } = world;
    const before = terminal.output.length;
    const exit = weft("get", "data.torrent", "--out", "got", "--json", "--seed");
    await simulation.runUntil(() => runtime.swarms.size > 0);
    await simulation.run(2_500);
    runtime.change({ state: "seeding", wantedDone: 40_003 });
    await simulation.run(100);
    terminal.signal("SIGINT");
    assert.equal(await simulation.complete(exit), 0);
    const lines = terminal.output.slice(before).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines[0].event, "swarm.added");
    const progress = lines.filter(({ event }) => event === "progress");
    assert.equal(progress.length, 6); // at 0, 1 and 2 s, when complete, and as it begins and ends to seed
    assert.equal(progress[3].done, 40_003);
    assert.deepEqual(lines.flatMap(({ sequence }) => sequence ?? []), [1, 2]);
    const last = lines.at(-1);
    assert.deepEqual([last.event, last.code, last.worstStallMs], ["exit", 0, 0]);
    assert.ok(last.seconds >= 2.5);
  }));

Deno.test("seed checks first, serves until interrupted, and refuses data that is incomplete", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    const { simulation, weft, runtime, terminal } = world;
    const exit = weft("seed", "data.torrent", "--data", ".");
    await simulation.runUntil(() => runtime.swarms.size > 0);
    assert.equal((runtime.calls[0][1] as { existing: string }).existing, "check");
    runtime.change({ state: "seeding", piecesDone: 4 });
    await simulation.run(100);
    assert.match(terminal.output, /data: seeding, listening on \[::\]:6881/);
    terminal.signal("SIGTERM");
    assert.equal(await simulation.complete(exit), 0);

    const refused = weft("seed", "data.torrent", "--data", ".");
    await simulation.run(1);
    runtime.change({ state: "seeding", piecesDone: 4 });
    await simulation.run(100);
    runtime.change({ state: "failed", error: "1 of 4 pieces are missing or differ", pieces: 4, piecesDone: 3 });
    assert.equal(await simulation.complete(refused), 1);
    assert.match(terminal.errors, /1 of 4 pieces are missing or differ/);
    assert.doesNotMatch(terminal.output, /downloading/);
  }));

Deno.test("seed makes no folder where there is none", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    const { code, error } = await world.done("seed", "data.torrent", "--data", "dta");
    assert.deepEqual([code, error], [2, 'weft: There is no folder "/home/dta"\n']);
    assert.equal(await world.host.disk.stat("/home/dta"), undefined);
  }));

Deno.test("get --seed and seed end with 0 when the swarm reached its seeding goal", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    const { simulation, weft, runtime } = world;
    for (const command of [["get", "--out", "got", "--seed"], ["seed", "--data", "."]]) {
      const exit = weft(...command, "data.torrent");
      await simulation.runUntil(() => runtime.swarms.size > 0);
      runtime.change({ state: "seeding" });
      await simulation.run(100);
      runtime.change({ state: "finished" });
      assert.equal(await simulation.complete(exit), 0, command[0]);
      runtime.swarms.clear();
    }
  }));

Deno.test("a running profile answers status, list, add and remove, and refuses a second one", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    await write(world, "/home/weft.yaml", "store: { path: ./d, state: ./state.db }\nplugins:\n  - use: tcp\n");
    const { simulation, weft, done, runtime, terminal } = world;
    const exit = weft("run", "weft.yaml");
    await simulation.run(100);
    assert.match((await done("run", "weft.yaml")).error, /Weft already runs with this state \("\/home\/state\.db"\)/);
    assert.equal((await done("list", "--state", "state.db")).out, "no swarms\n");
    const added = await done("add", "data.torrent", "--profile", "weft.yaml", "--select", "2");
    assert.match(added.out, /^[0-9a-f]{40} {2}data: downloading/m);
    assert.deepEqual((runtime.calls[0][1] as { select: number[] }).select, [1]);
    assert.match((await done("list", "--state", "state.db")).out, /downloading +0%/);
    assert.match((await done("status", "--state", "state.db")).out, /Weft 1\.2\.3, listening on \[::\]:6881/);
    const [id] = runtime.swarms.keys();
    assert.match((await done("status", id.slice(0, 8), "--state", "state.db")).out, new RegExp(`^${id}`));
    const now = simulation.clock.wall();
    const [lastAnnounce, nextAnnounce] = [now - 90_000, now + 1_710_000];
    const working = { url: "udp://t.example:6969", tier: 0, state: "working", lastAnnounce, nextAnnounce } as const;
    const failed = { url: "http://t.example/a", tier: 1, state: "failed", error: "no such torrent" } as const;
    runtime.change({ trackers: [{ ...working, seeders: 7, leechers: 12 }, failed] });
    const shown = (await done("status", id, "--state", "state.db")).out;
    assert.match(shown, /udp:\/\/t\.example:6969 +working +1m30s ago +in 28m30s +7 +12\n/);
    assert.match(shown, /http:\/\/t\.example\/a +failed +- +- +- +- +no such torrent\n/);
    const { trackers } = JSON.parse((await done("status", id, "--json", "--state", "state.db")).out);
    assert.deepEqual(trackers[0], { ...working, seeders: 7, leechers: 12 });
    assert.match((await done("recheck", id.slice(0, 8), "--state", "state.db")).out, /^checking .* data\n$/);
    assert.deepEqual(runtime.calls.at(-1), ["recheck", id]);
    assert.match((await done("remove", id.slice(0, 8), "--state", "state.db")).out, /^removed .* data\n$/);
    assert.deepEqual(runtime.calls.at(-1), ["remove", id, { deleteData: false }]);
    assert.equal((await done("remove", "ffff", "--state", "state.db")).code, 1);
    terminal.signal("SIGINT");
    assert.equal(await simulation.complete(exit), 0);
    assert.match((await done("list", "--state", "state.db")).error, /No Weft runs with this state/);
  }));

Deno.test("on a terminal, progress is redrawn in place", () =>
  inWorld(async (world) => {
    await makeTorrent(world);
    const { simulation, weft, runtime, terminal } = world;
    const exit = weft("get", "data.torrent", "--out", "got");
    await simulation.runUntil(() => runtime.swarms.size > 0);
    runtime.change({ state: "downloading", wantedDone: 20_002, down: 1024 * 1024, connected: 3, eta: 61_000 });
    await simulation.run(400);
    const redraw = "\x1b[2A\x1b[J";
    const [, last] = terminal.output.split(redraw);
    assert.match(last, /^data: downloading\n█{8}░{8} {2}50% of 39\.1 KiB {2}down 1 MiB\/s {2}1m1s left {2}3 peers/);
    runtime.change({ state: "seeding" });
    await simulation.complete(exit);
  }, { interactive: true }));

Deno.test("an error shows what it quotes without what moves the cursor", () =>
  inWorld(async ({ done }) => {
    const { code, error } = await done("show", "no\x1b[2J\u202efile.torrent");
    assert.equal(code, 2);
    assert.match(error, /^weft: .*no\ufffd\[2J\ufffdfile\.torrent.*\n$/);
  }));

Deno.test("create takes the tracker URLs that can be asked, and refuses the others", () =>
  inWorld(async (world) => {
    await write(world, "/home/data/a", "hello");
    const create = (url: string) => world.done("create", "data", "--force", "--tracker", url);
    for (const url of ["HTTP://127.0.0.1/a", " http://127.0.0.1/a", "udp://127.0.0.1:80"]) {
      assert.equal((await create(url)).code, 0, url);
      assert.ok((await world.done("show", "data.torrent")).out.includes(`  ${url.trim()}\n`));
    }
    for (const url of ["udp://127.0.0.1", "http://127.0.0.1:0/a", "mailto:a@b", "gopher://a:1"]) {
      const { code, error } = await create(url);
      assert.equal(code, 2);
      assert.ok(error.includes(`--tracker: Cannot use "${url}": `), error);
    }
    assert.match(
      (await world.done("create", "data", "--force", "--web-seed", "http://a:0/")).error,
      /--web-seed: .*port 0/,
    );
  }));
