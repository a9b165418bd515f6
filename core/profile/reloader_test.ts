import assert from "node:assert/strict";
import { ConfigError, DiskError, type PlanChange, type ReloadPlan, type Settings } from "../api/mod.ts";
import { createSimulation, type MemoryHost, type Simulation } from "../host/memory/mod.ts";
import { Reloader, type ReloaderOptions, type ReloadOutcome, SETTLE_TIME } from "./reloader.ts";

const change: PlanChange = { action: "change", what: "limits.down" };

interface World {
  readonly simulation: Simulation;
  readonly host: MemoryHost;
  readonly reloader: Reloader;
  /** Texts of the profile as they were read. */
  readonly read: string[];
  readonly told: ReloadOutcome[];
  /** What the next reading finds wrong, which files it names, and what its plugins consist of. */
  next: { problems?: string[]; seen?: string[]; files?: string[]; changes?: PlanChange[]; wait?: Promise<void> };
  write(path: string, text: string): Promise<void>;
}

function settingsOf(files: readonly string[]): Settings {
  return { plugins: [{ files }] } as unknown as Settings;
}

async function inWorld(body: (world: World) => Promise<void>, options: Partial<ReloaderOptions> = {}): Promise<void> {
  using simulation = createSimulation({ seed: 3 });
  const host = simulation.host("here");
  const write = (path: string, text: string): Promise<void> =>
    simulation.complete(host.disk.writeFile(path, new TextEncoder().encode(text)));
  await simulation.complete(host.disk.makeDirectory("/home"));
  await write("/home/weft.yaml", "1");
  const { clock, disk } = host;
  using reloader = new Reloader({
    clock,
    disk,
    profile: "/home/weft.yaml",
    settings: settingsOf(["/home/roster.ts"]),
    watch: true,
    async read(seen) {
      const { problems, seen: named = [], files = ["/home/roster.ts"] } = world.next;
      world.read.push(new TextDecoder().decode(await disk.readFile("/home/weft.yaml")));
      named.forEach(seen);
      if (problems) throw new ConfigError(problems);
      return settingsOf(files);
    },
    async apply(): Promise<ReloadPlan> {
      const { changes = [change], wait } = world.next;
      await wait;
      return { changes };
    },
    tell: (outcome) => void world.told.push(outcome),
    cannotWatch: (reason) => assert.fail(reason),
    ...options,
  });
  const world: World = { simulation, host, reloader, read: [], told: [], next: {}, write };
  await simulation.run(SETTLE_TIME * 2);
  world.read.length = world.told.length = 0;
  await body(world);
}

Deno.test("an edit is read once it has settled, however many steps it took", () =>
  inWorld(async ({ simulation, read, told, write }) => {
    for (const text of ["2", "3", "4"]) {
      await write("/home/weft.yaml", text);
      await simulation.run(SETTLE_TIME - 50);
    }
    assert.deepEqual(read, []);
    await simulation.run(100);
    assert.deepEqual(read, ["4"]);
    assert.deepEqual(told, [{ changes: [change] }]);
  }));

Deno.test("edits of a plugin's files are noticed, also of those that came with a reload", () =>
  inWorld(async (world) => {
    const { simulation, read, write } = world;
    const isNoticed = async (path: string): Promise<boolean> => {
      const before = read.length;
      await write(path, String(simulation.now));
      await simulation.run(SETTLE_TIME * 3);
      return read.length > before;
    };
    assert.equal(await isNoticed("/home/helper.ts"), false);
    world.next = { files: ["/home/roster.ts", "/home/helper.ts"] };
    assert.equal(await isNoticed("/home/roster.ts"), true);
    assert.equal(await isNoticed("/home/helper.ts"), true);
    world.next = { files: [] };
    assert.equal(await isNoticed("/home/helper.ts"), true);
    assert.equal(await isNoticed("/home/roster.ts"), false, "no entry names it any more");
  }));

Deno.test("a plugin that couldn't be loaded is tried again once its file changes", () =>
  inWorld(async (world) => {
    const { simulation, told, write } = world;
    world.next = { problems: ["weft.yaml:1:1: cannot load"], seen: ["/home/new.ts"] };
    await write("/home/weft.yaml", "2");
    await simulation.run(SETTLE_TIME + 50);
    world.next = {};
    await write("/home/new.ts", "mended");
    await simulation.run(SETTLE_TIME + 50);
    assert.deepEqual(told, [{ problems: ["weft.yaml:1:1: cannot load"] }, { changes: [change] }]);
  }));

Deno.test("the same mistake is told once, and again when somebody asks", () =>
  inWorld(async (world) => {
    const { simulation, told, reloader, write } = world;
    world.next = { problems: ["weft.yaml:1:1: no"] };
    for (const text of ["2", "3"]) {
      await write("/home/weft.yaml", text);
      await simulation.run(SETTLE_TIME + 50);
    }
    assert.equal(told.length, 1);
    await assert.rejects(simulation.complete(reloader.reload()), new ConfigError(["weft.yaml:1:1: no"]));
    assert.equal(told.length, 2);
    world.next = { changes: [] };
    for (const text of ["4", "5"]) {
      await write("/home/weft.yaml", text);
      await simulation.run(SETTLE_TIME + 50);
    }
    assert.deepEqual(told.slice(2), [{ changes: [] }], "the mistake is gone");
  }));

Deno.test("one reload runs at a time, and what comes meanwhile leads to one more", () =>
  inWorld(async (world) => {
    const { simulation, reloader, read, write } = world;
    const gate = Promise.withResolvers<void>();
    world.next = { wait: gate.promise };
    const first = reloader.reload();
    await simulation.settle();
    await write("/home/weft.yaml", "2");
    const [second, third] = [reloader.reload(), reloader.reload()];
    await simulation.run(SETTLE_TIME * 3);
    assert.deepEqual(read, ["1"]);
    gate.resolve();
    await simulation.complete(Promise.all([first, second, third]));
    await simulation.run(SETTLE_TIME * 3);
    assert.deepEqual(read, ["1", "2"]);
  }));

Deno.test("what was edited before it was watched is read all the same", async () => {
  await inWorld(async (world) => {
    const { simulation, reloader, read, write } = world;
    const gate = Promise.withResolvers<void>();
    world.next = { files: ["/home/helper.ts"], wait: gate.promise };
    const reloaded = reloader.reload();
    await simulation.settle();
    await write("/home/helper.ts", "edited while the reload runs");
    gate.resolve();
    await simulation.complete(reloaded);
    await simulation.run(SETTLE_TIME * 5);
    assert.equal(read.length, 2);
  });
});

Deno.test("without watching, and once disposed of, edits are not noticed", async () => {
  await inWorld(async ({ simulation, read, write, reloader }) => {
    await write("/home/weft.yaml", "2");
    await simulation.run(SETTLE_TIME * 3);
    assert.deepEqual(read, []);
    await simulation.complete(reloader.reload());
    assert.deepEqual(read, ["2"]);
  }, { watch: false });
  await inWorld(async ({ simulation, read, write, reloader }) => {
    await write("/home/weft.yaml", "2");
    reloader[Symbol.dispose]();
    await simulation.run(SETTLE_TIME * 3);
    assert.deepEqual(read, []);
    assert.equal(simulation.pendingTimers, 0);
  });
});

Deno.test("a system that can't watch leaves the rest as it is", async () => {
  const reasons: string[] = [];
  const disk = {
    watch(): Disposable {
      throw new DiskError("tooManyFiles", "Cannot watch: too many open files");
    },
  };
  await inWorld(async ({ simulation, reloader, read }) => {
    await simulation.complete(reloader.reload());
    assert.equal(read.length, 1);
    assert.deepEqual(reasons, ["Cannot watch: too many open files"]);
  }, { disk, cannotWatch: (reason) => void reasons.push(reason) });
});
