import assert from "node:assert/strict";
import { type BindAddress, type ByteStream, type Transport, transports } from "../api/mod.ts";
import { registerValue } from "../bus/mod.ts";
import { testOwner } from "../bus/test_owner.ts";
import { createSimulation, type MemoryHost, type Simulation } from "../host/memory/mod.ts";
import { encodeHandshake, InfoHash, peerAddress, torrentId } from "../wire/mod.ts";
import { tcpTransport } from "../../plugins/tcp/mod.ts";
import type { ShakenPeer } from "./peers/handshake.ts";
import { RateLimiter, RateMeter } from "./rate_limit.ts";
import type { Swarm } from "./swarm.ts";
import { Swarms } from "./swarms.ts";
import { testKernel } from "./test_kernel.ts";

const peerId = new TextEncoder().encode("-XX0001-abcdefghijkl");

/** What `Swarms` sees of a swarm's peers. */
class FakePeers {
  readonly sessions = new Set<unknown>();
  readonly accepted: ShakenPeer[] = [];
  readonly full: boolean[] = [];
  readonly banned = new Set<string>();
  dialing = 0;
  dials = 0;
  candidates = 0;
  interested = 0;
  connectionShare = 0;
  unchokeShare = 0;
  /** Finishes the dials under way. */
  readonly finish: (() => void)[] = [];
  readonly pool = {
    isBanned: (target: string): boolean => this.banned.has(target),
  };

  dialable(): number {
    return this.candidates;
  }
  wantsDial(): boolean {
    return this.candidates > 0 && this.connectionShare > this.sessions.size + this.dialing;
  }
  dialNext(): Promise<void> {
    this.dials++;
    this.candidates--;
    this.dialing++;
    return new Promise((resolve) =>
      this.finish.push(() => {
        this.dialing--;
        resolve();
      })
    );
  }
  accept(shaken: ShakenPeer, full: boolean): void {
    this.accepted.push(shaken);
    this.full.push(full);
    this.sessions.add(shaken);
  }
}

/** What `Swarms` sees of a swarm. */
class FakeSwarm {
  readonly id;
  readonly peerId = peerId;
  readonly peers = new FakePeers();
  readonly downLimit = new RateLimiter();
  readonly upLimit = new RateLimiter();
  readonly ledger = { down: new RateMeter(), up: new RateMeter() };
  stopped = false;
  ticks = 0;

  constructor(n: number) {
    this.id = torrentId({ v1: InfoHash.parse(n.toString(16).padStart(4, "0").padEnd(40, "e")) });
  }
  tick(): void {
    this.ticks++;
  }
  idleUntil(now: number): number {
    return this.peers.candidates + this.peers.sessions.size + this.peers.dialing > 0 ? now : Infinity;
  }
  shareRates(): void {}
  stop(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }
}

interface Bench {
  readonly simulation: Simulation;
  readonly host: MemoryHost;
  readonly swarms: Swarms;
  readonly tcp: Transport;
  readonly all: FakeSwarm[];
}

function bench(count: number, limits = {}): Bench {
  const simulation = createSimulation({ seed: 1 });
  const host = simulation.host("me");
  const tcp = tcpTransport(host.net as never);
  const kernel = testKernel(host, {
    limits,
    registrations: [registerValue(testOwner("tcp"), transports, "tcp", tcp)],
  });
  const swarms = new Swarms(kernel);
  const all = Array.from({ length: count }, (_, i) => new FakeSwarm(i + 1));
  for (const swarm of all) swarms.add(swarm as unknown as Swarm);
  return { simulation, host, swarms, tcp, all };
}

Deno.test("a swarm is found by its key, by its wire id, and by a prefix that no other has", () => {
  const { swarms, all } = bench(300);
  const key = all[0].id.key;
  assert.equal(swarms.get(key), all[0] as unknown);
  assert.equal(swarms.get("0001E"), all[0] as unknown);
  assert.throws(() => swarms.get("000"), /No swarm "000" here: the beginning of an id has at least 4 digits/);
  assert.equal(swarms.find(all[7].id.wireIds[0].hex), all[7] as unknown);
  swarms.delete(all[0] as unknown as Swarm);
  assert.throws(() => swarms.get(key), /No swarm/);
  assert.equal(swarms.size, 299);
});

Deno.test("connections are shared: a few for each, the rest by need", async () => {
  const { simulation, swarms, all } = bench(3, { connections: 20, peers: 15 });
  [all[0].peers.candidates, all[1].peers.candidates, all[2].peers.candidates] = [100, 3, 0];
  swarms.start();
  await simulation.run(1_010);
  // What nobody needs is there for whoever comes on its own, and a few for each in any case.
  assert.deepEqual(all.map(({ peers }) => peers.connectionShare), [15, 5, 4]);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

Deno.test("a swarm with nothing to do rests, and takes part again when it wakes", async () => {
  const { simulation, swarms, all } = bench(3, { connections: 20, peers: 15, halfOpen: 20 });
  all[0].peers.candidates = 100;
  swarms.start();
  await simulation.run(10_010);
  assert.deepEqual(all.map(({ ticks }) => ticks), [10, 1, 1]);
  // It may take in whoever comes, as far as there is room.
  assert.deepEqual(all.map(({ peers }) => peers.connectionShare), [15, 5, 5]);
  all[2].peers.candidates = 3;
  swarms.wake(all[2] as unknown as Swarm);
  await simulation.run(1_000);
  assert.deepEqual(all.map(({ ticks }) => ticks), [11, 1, 2]);
  assert.ok(all[2].peers.dials > 0, "nobody was dialed");
  swarms.wakeAll();
  await simulation.run(1_000);
  assert.equal(all[1].ticks, 2);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

Deno.test("a swarm that was removed does not wake again", async () => {
  const { simulation, swarms, all } = bench(2);
  swarms.start();
  const gone = all[0] as unknown as Swarm;
  swarms.delete(gone);
  swarms.wake(gone);
  await simulation.run(5_000);
  assert.equal(all[0].ticks, 0);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

Deno.test("a swarm that asks for nothing may have a few where others could use all there are", async () => {
  const { simulation, swarms, all } = bench(3, { connections: 20, peers: 15 });
  for (const { peers } of all.slice(0, 2)) peers.candidates = 100;
  swarms.start();
  await simulation.run(10_010);
  assert.equal(all[2].ticks, 1);
  assert.deepEqual(all.map(({ peers }) => peers.connectionShare), [10, 10, 4]);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

Deno.test("where there is too little for all, they take turns", async () => {
  const { simulation, swarms, all } = bench(6, { connections: 3, dials: 1 });
  const had = new Set<FakeSwarm>();
  swarms.start();
  for (let minute = 0; minute < 6; minute++) {
    for (const swarm of all) swarm.peers.candidates = 10;
    await simulation.run(60_000);
    for (const swarm of all) {
      if (swarm.peers.connectionShare > 0) had.add(swarm);
      for (const finish of swarm.peers.finish.splice(0)) finish();
    }
  }
  assert.equal(had.size, 6, "somebody was always last");
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

Deno.test("dials keep to their rate and to the half-open limit, and swarms have their turns", async () => {
  const { simulation, swarms, all } = bench(4, { dials: 10, halfOpen: 8, connections: 100, peers: 50 });
  for (const swarm of all) swarm.peers.candidates = 50;
  swarms.start();
  await simulation.run(1_500);
  const dials = (): number => all.reduce((sum, { peers }) => sum + peers.dials, 0);
  assert.ok(dials() <= 8, `${dials()} dials`);
  await simulation.run(10_000);
  assert.equal(dials(), 8, "more were half-open than may be");
  assert.deepEqual(all.map(({ peers }) => peers.dials), [2, 2, 2, 2]);
  for (let second = 0; second < 5; second++) {
    for (const swarm of all) for (const finish of swarm.peers.finish.splice(0)) finish();
    await simulation.run(1_000);
  }
  assert.ok(dials() > 40 && dials() <= 8 + 60, `${dials()} dials`);
  const each = all.map(({ peers }) => peers.dials);
  assert.ok(Math.max(...each) - Math.min(...each) <= 2, `${each}`);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

/** Listens over the bench's transports. */
async function listen({ swarms, tcp }: Bench, at: readonly BindAddress[]): Promise<void> {
  (await swarms.listeners.stage(at, new Map([["tcp", tcp]]))).commit();
}

/** Connects from `host`, and shakes hands for the swarm. */
async function join(world: Bench, host: MemoryHost, infoHash: InfoHash): Promise<boolean> {
  const stream = await host.net.connect(peerAddress(world.host.ip, 6881));
  const bytes = encodeHandshake({ infoHash, peerId, reserved: { extended: true, fast: true, dht: false } });
  await stream.write(bytes).catch(() => {});
  return await stream.read(new Uint8Array(68)).then((got) => got > 0, () => false);
}

Deno.test("who connects is taken to the swarm that it names, unless it is banned or names none", async () => {
  const world = bench(2);
  const { simulation, swarms, all } = world;
  await simulation.complete(listen(world, [{ ip: "0.0.0.0", port: 6881 }]));
  assert.deepEqual(swarms.listeners.addresses.map(({ port }) => port), [6881]);
  const [peer, banned] = [simulation.host("peer"), simulation.host("banned")];
  all[1].peers.banned.add(banned.ip);
  const [id] = all[1].id.wireIds;
  assert.equal(await simulation.complete(join(world, peer, id)), true);
  assert.equal(await simulation.complete(join(world, banned, id)), false);
  assert.equal(await simulation.complete(join(world, peer, InfoHash.parse("ff".repeat(20)))), false);
  assert.deepEqual(all.map(({ peers }) => peers.accepted.length), [0, 1]);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
  assert.ok(all.every(({ stopped }) => stopped));
});

Deno.test("beyond the limit of connections a swarm is told that one of its own has to make room", async () => {
  const world = bench(1, { connections: 2, acceptsPerAddress: 10 });
  const { simulation, swarms, all } = world;
  await simulation.complete(listen(world, [{ ip: "0.0.0.0", port: 6881 }]));
  for (let i = 0; i < 4; i++) {
    await simulation.complete(join(world, simulation.host(`p${i}`), all[0].id.wireIds[0]));
  }
  assert.deepEqual(all[0].peers.full, [false, false, true, true]);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

Deno.test("one address has only so many handshakes pending, however slowly they came", async () => {
  const world = bench(1, { acceptsPerAddress: 3 });
  const { simulation, host, swarms } = world;
  await simulation.complete(listen(world, [{ ip: "0.0.0.0", port: 6881 }]));
  swarms.start();
  const attacker = simulation.host("attacker");
  for (let i = 0; i < 9; i++) {
    await simulation.complete(attacker.net.connect(peerAddress(host.ip, 6881)));
    await simulation.run(1_000);
  }
  assert.equal(swarms.handshakes, 3);
  // After ten seconds the first ones are given up.
  await simulation.run(10_000);
  assert.equal(swarms.handshakes, 0);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

Deno.test("of too many silent handshakes the oldest makes room, of the network that has most", async () => {
  const world = bench(1, { handshakes: 3, acceptsPerAddress: 10 });
  const { simulation, host, swarms } = world;
  await simulation.complete(listen(world, [{ ip: "0.0.0.0", port: 6881 }]));
  const closed: string[] = [];
  for (const ip of ["45.0.0.1", "45.0.1.1", "45.0.1.2", "45.0.2.1"]) {
    const stream = await simulation.complete(simulation.host(ip).net.connect(peerAddress(host.ip, 6881)));
    void stream.read(new Uint8Array(1)).then(() => closed.push(ip), () => closed.push(ip));
    await simulation.run(10);
  }
  assert.deepEqual(closed, ["45.0.1.1"]);
  assert.equal(swarms.handshakes, 3);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

Deno.test("an IPv6 network counts as one address, since one host may have all of it", async () => {
  const { simulation, swarms } = bench(1, { acceptsPerAddress: 3 });
  let accept: (stream: ByteStream) => void = () => {};
  const transport: Transport = {
    dial: () => Promise.reject(new Error("not here")),
    listen: (at, take) => {
      accept = take;
      return Promise.resolve({ address: peerAddress("2600::1", at.port), close: () => {} });
    },
  };
  await simulation.complete(swarms.listeners.stage([{ ip: "::", port: 6881 }], new Map([["utp", transport]])));
  const closed: string[] = [];
  const comes = (ip: string): void =>
    accept({
      local: peerAddress("2600::1", 6881),
      remote: peerAddress(ip, 50_000),
      read: () => new Promise<number>(() => {}),
      unread: () => {},
      write: () => new Promise<void>(() => {}),
      closeWrite: () => Promise.resolve(),
      close: () => void closed.push(ip),
    });
  for (let n = 1; n <= 5; n++) comes(`2600:1:2:3::${n}`);
  assert.deepEqual(closed, ["2600:1:2:3::4", "2600:1:2:3::5"]);
  comes("2600:1:2:4::1");
  assert.equal(swarms.handshakes, 4);
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});

Deno.test("when one address can't be listened on, none is", async () => {
  const world = bench(0);
  const { simulation, host, swarms } = world;
  const taken = await simulation.complete(host.net.listen({ ip: "0.0.0.0", port: 7000 }));
  const both = [{ ip: "0.0.0.0", port: 6881 }, { ip: "0.0.0.0", port: 7000 }];
  await assert.rejects(simulation.complete(listen(world, both)), /7000/);
  assert.deepEqual(swarms.listeners.addresses, []);
  taken.close();
  await simulation.complete(listen(world, both));
  await simulation.complete(Promise.all(swarms.stop().map(([, ended]) => ended)));
});
