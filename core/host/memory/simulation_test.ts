import assert from "node:assert/strict";
import fc from "fast-check";
import { DiskError, NetError } from "../../api/host.ts";
import { peerAddress } from "../../wire/mod.ts";
import { createSimulation, type Simulation } from "./mod.ts";

const listenAt = { ip: "::", port: 6881 };

async function connected(simulation: Simulation) {
  const a = simulation.host("a");
  const b = simulation.host("b");
  const listener = await simulation.complete(b.net.listen(listenAt));
  const accepting = listener.accept();
  const client = await simulation.complete(a.net.connect(peerAddress(b.ip, 6881)));
  return { a, b, client, server: await simulation.complete(accepting) };
}

Deno.test("simulated time jumps from timer to timer, with microtasks run between", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { clock } = simulation.host("a");
  const seen: [string, number][] = [];
  const log = (what: string) => void seen.push([what, clock.now()]);
  clock.after(2000, () => log("second"));
  clock.after(1000, () => {
    log("first");
    Promise.resolve().then(() => Promise.resolve()).then(() => log("microtask"));
    clock.after(0, () => log("nested"));
  });
  clock.after(1000, () => log("also first"));
  await simulation.run(1999);
  assert.deepEqual(seen, [["first", 1000], ["microtask", 1000], ["also first", 1000], ["nested", 1000]]);
  assert.equal(simulation.now, 1999);
  await simulation.run(1);
  assert.equal(seen.length, 5);
  assert.equal(simulation.pendingTimers, 0);
});

Deno.test("runUntil() stops as soon as its predicate holds, and throws when it never will", async () => {
  using simulation = createSimulation({ seed: 1 });
  let done = false;
  simulation.clock.after(50, () => done = true);
  await simulation.runUntil(() => done);
  assert.equal(simulation.now, 50);
  await assert.rejects(simulation.runUntil(() => false, { limitMs: 10 }), /did not happen/);
});

Deno.test("a timer for a time that is no whole millisecond never fires before it", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { clock, random } = simulation.host("a");
  let early = 0;
  const set = (): void => {
    const due = clock.now() + random.below(2 ** 32) / 3e8;
    clock.after(due - clock.now(), () => {
      if (clock.now() < due) early++;
      set();
    });
  };
  set();
  await simulation.run(10_000);
  assert.equal(early, 0);
});

Deno.test("a timer that throws fails the run", async () => {
  using simulation = createSimulation({ seed: 1 });
  simulation.clock.after(1, () => {
    throw new Error("a bug");
  });
  await assert.rejects(simulation.run(5), /a bug/);
});

Deno.test("time holds still for work that really runs elsewhere", async () => {
  using simulation = createSimulation({ seed: 1 });
  let hashedAt = -1;
  void simulation.hold(crypto.subtle.digest("SHA-1", new Uint8Array(1_000_000))).then(() => hashedAt = simulation.now);
  simulation.clock.after(1, () => {});
  await simulation.run(10);
  assert.equal(hashedAt, 0);
});

Deno.test("cancelled timers do not pile up", async () => {
  using simulation = createSimulation({ seed: 1 });
  for (let i = 0; i < 100_000; i++) simulation.clock.after(60_000, () => assert.fail("it was cancelled")).cancel();
  assert.equal(simulation.pendingTimers, 0);
  await simulation.run(60_000);
});

Deno.test("the same seed gives the same events, another seed others", async () => {
  const story = async (seed: number) => {
    using simulation = createSimulation({ seed });
    const { network } = simulation;
    network.link = () => network.random.below(4) === 0 ? undefined : 1 + network.random.below(50);
    const hosts = ["a", "b", "c"].map((name) => simulation.host(name));
    const events: string[] = [];
    for (const host of hosts) {
      const socket = await simulation.complete(host.net.datagrams({ ip: "0.0.0.0", port: 6881 }));
      const receive = async (): Promise<void> => {
        const { bytes, from } = await socket.receive(new Uint8Array(8));
        events.push(`${simulation.now} ${from.key} > ${host.name}: ${bytes}`);
        return receive();
      };
      void receive();
      for (let i = 0; i < 10; i++) {
        host.clock.after(host.random.below(1000), () => {
          void socket.send(host.random.bytes(2), peerAddress(hosts[host.random.below(3)].ip, 6881));
        });
      }
    }
    await simulation.run(2000);
    return events;
  };
  const first = await story(7);
  assert.ok(first.length > 10);
  assert.deepEqual(await story(7), first);
  assert.notDeepEqual(await story(8), first);
});

Deno.test("a stream delivers what was written, in order, however it is cut and whatever the link loses", async () => {
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 5000 }), fc.integer(), async (sent, readSize, seed) => {
      using simulation = createSimulation({ seed });
      const { network } = simulation;
      const { client, server } = await connected(simulation);
      network.link = () => network.random.below(5) === 0 ? undefined : network.random.below(30);
      const writing = (async () => {
        for (const chunk of sent) await client.write(chunk);
        await client.closeWrite();
      })();
      const got: number[] = [];
      const reading = (async () => {
        const into = new Uint8Array(readSize);
        for (let n = await server.read(into); n > 0; n = await server.read(into)) got.push(...into.subarray(0, n));
      })();
      await simulation.complete(Promise.all([writing, reading]));
      assert.deepEqual(got, sent.flatMap((chunk) => [...chunk]));
    }),
    { numRuns: 40 },
  );
});

Deno.test("a partition stalls streams and swallows SYNs until it heals", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { a, b, client, server } = await connected(simulation);
  const partition = simulation.network.partition([a], [b]);
  await client.write(new Uint8Array([1]));
  let got = 0;
  void server.read(new Uint8Array(1)).then((n) => got = n);
  await simulation.run(5000);
  assert.equal(got, 0);
  const abort = new AbortController();
  a.clock.after(1000, () => abort.abort(new Error("gave up")));
  await assert.rejects(
    simulation.complete(a.net.connect(peerAddress(b.ip, 6881), { signal: abort.signal })),
    /gave up/,
  );
  partition[Symbol.dispose]();
  await simulation.runUntil(() => got === 1);
});

Deno.test("connecting to an address that nobody has times out", async () => {
  using simulation = createSimulation({ seed: 1 });
  const connecting = simulation.host("a").net.connect(peerAddress("20.9.9.9", 6881));
  await assert.rejects(
    simulation.complete(connecting),
    (error) => error instanceof NetError && error.fault === "timedOut",
  );
  assert.equal(simulation.now, 127_000);
});

Deno.test("a UDP socket holds 92 datagrams and drops the rest", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("a");
  const socket = await simulation.complete(host.net.datagrams({ ip: "127.0.0.1", port: 0 }));
  for (let i = 0; i < 200; i++) await socket.send(new Uint8Array([i]), socket.address);
  await simulation.run(10);
  let received = 0;
  void (async () => {
    for (;; received++) await socket.receive(new Uint8Array(1));
  })();
  await simulation.run(10);
  assert.equal(received, 92);
});

Deno.test("kill() stops a process dead: its peers see a reset, its own calls never settle", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { b, client, server } = await connected(simulation);
  const after: string[] = [];
  const note = (what: string) => () => void after.push(what);
  server.read(new Uint8Array(1)).then(note("read"), note("read failed"));
  b.clock.after(5, note("timer"));
  b.disk.writeFile("/late", new Uint8Array(1)).then(note("written"), note("write failed"));
  b.kill();
  await assert.rejects(
    simulation.complete(client.read(new Uint8Array(1))),
    (error) => error instanceof NetError && error.fault === "reset",
  );
  await simulation.run(1000);
  assert.deepEqual(after, []);
  const again = b.restart();
  assert.equal(await simulation.complete(again.disk.stat("/late")), undefined);
  (await simulation.complete(again.net.listen(listenAt))).close();
});

Deno.test("restart() finds the files and committed rows of the process that was killed", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("a");
  await simulation.complete(host.disk.writeFile("/kept", new Uint8Array([7])));
  const database = await simulation.complete(host.db.open("/weft.db"));
  await simulation.complete(database.run([{ sql: "CREATE TABLE t (n)" }, { sql: "INSERT INTO t VALUES (1)" }]));
  const again = host.restart();
  assert.equal(host.alive, false);
  assert.deepEqual(await simulation.complete(again.disk.readFile("/kept")), new Uint8Array([7]));
  const reopened = await simulation.complete(again.db.open("/weft.db"));
  assert.deepEqual(await simulation.complete(reopened.all({ sql: "SELECT n FROM t" })), [{ n: 1 }]);
});

Deno.test("a jump of the wall clock leaves intervals alone", async () => {
  using simulation = createSimulation({ seed: 1 });
  const host = simulation.host("a");
  const wall = host.clock.wall();
  host.jumpWall(-3_600_000);
  await simulation.run(1000);
  assert.equal(host.clock.now(), 1000);
  assert.equal(host.clock.wall(), wall + 1000 - 3_600_000);
});

Deno.test("a full disk takes what fits, then says so, and goes on when there is room", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { disk } = simulation.host("a");
  disk.capacity = 10;
  const file = await simulation.complete(disk.open("/file", { write: true, create: true }));
  const isFull = (error: unknown) => error instanceof DiskError && error.fault === "full";
  await assert.rejects(simulation.complete(file.write(new Uint8Array(16), 0)), isFull);
  assert.equal(file.stat().size, 10);
  await simulation.complete(file.write(new Uint8Array(10), 0));
  disk.capacity = 16;
  await simulation.complete(file.write(new Uint8Array(16), 0));
});

Deno.test("an injected fault hits what its rule names, until it is lifted", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { disk } = simulation.host("a");
  await simulation.complete(disk.writeFile("/bad", new Uint8Array(4)));
  const fault = disk.fault("read", (path, position) => path === "/bad" && position >= 2 ? "io" : undefined);
  const file = await simulation.complete(disk.open("/bad", { write: false }));
  assert.equal(await simulation.complete(file.read(new Uint8Array(2), 0)), 2);
  await assert.rejects(
    simulation.complete(file.read(new Uint8Array(2), 2)),
    (error) => error instanceof DiskError && error.fault === "io" && error.message.includes("/bad"),
  );
  fault[Symbol.dispose]();
  assert.equal(await simulation.complete(file.read(new Uint8Array(2), 2)), 2);
});

Deno.test("symlinks resolve, also in the middle of a path, and loops end", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { disk } = simulation.host("a");
  await simulation.complete(disk.makeDirectory("/outside/deep"));
  await simulation.complete(disk.makeDirectory("/save"));
  disk.symlink("/save/trap", "../outside");
  disk.symlink("/save/loop", "loop");
  await simulation.complete(disk.writeFile("/save/trap/deep/file", new Uint8Array(1)));
  assert.equal(await simulation.complete(disk.realPath("/save/trap/deep/file")), "/outside/deep/file");
  assert.equal((await simulation.complete(disk.lstat("/save/trap")))!.kind, "symlink");
  assert.equal((await simulation.complete(disk.stat("/save/trap")))!.kind, "directory");
  await assert.rejects(simulation.complete(disk.open("/save/loop", { write: false })), /too many symlinks/);
});
