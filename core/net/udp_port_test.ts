import assert from "node:assert/strict";
import type { PluginError, UdpFlow } from "../api/mod.ts";
import { createSimulation, type MemoryHost, type Simulation } from "../host/memory/mod.ts";
import { type PeerAddress, peerAddress } from "../wire/mod.ts";
import type { Egress } from "./egress.ts";
import { type Claimant, SharedUdp } from "./udp_port.ts";

const at = [{ ip: "::", port: 6881 }];

interface Bench {
  readonly guard: Pick<Egress, "with">;
  readonly simulation: Simulation;
  readonly host: MemoryHost;
  readonly other: MemoryHost;
  readonly udp: SharedUdp;
  readonly failures: PluginError[];
  readonly lost: unknown[];
  claimant(name: string, live?: boolean): Claimant & { live: boolean };
  /** Sends a datagram from the other host, and lets it arrive. */
  arrives(...bytes: number[]): Promise<void>;
}

function bench(refused: (to: PeerAddress) => string | undefined = () => undefined): Bench {
  const simulation = createSimulation({ seed: 1 });
  const [host, other] = [simulation.host("me"), simulation.host("other")];
  const failures: PluginError[] = [];
  const lost: unknown[] = [];
  const udp = new SharedUdp({
    net: host.net,
    turn: () => host.clock.turn(),
    failed: () => {},
    lost: (error) => void lost.push(error),
  });
  return {
    guard: { with: () => ({ check: refused }) },
    simulation,
    host,
    other,
    udp,
    failures,
    lost,
    claimant: (name, live = true) => ({
      name,
      live,
      seesPrivate: true,
      failed: (failure) => void failures.push(failure),
    }),
    async arrives(...bytes) {
      const socket = await simulation.complete(other.net.datagrams({ ip: "0.0.0.0", port: 0 }));
      await simulation.complete(socket.send(new Uint8Array(bytes), peerAddress(host.ip, 6881)));
      await simulation.run(10);
      socket.close();
    },
  };
}

Deno.test("whoever asks is told when the port is bound: the first time, elsewhere, and soon where it is bound", async () => {
  const world = bench();
  const { simulation, udp } = world;
  const told: string[] = [];
  const watch = (name: string): Disposable => {
    const port = udp.for(world.claimant(name), world.guard);
    port.claim([0x64], () => false);
    return port.onBound(() => void told.push(`${name} ${port.addresses.map((bound) => bound.port)}`));
  };
  watch("early");
  await simulation.run(10);
  assert.deepEqual(told, []);
  (await simulation.complete(udp.stage(at))).commit();
  assert.deepEqual(told.splice(0), ["early 6881"]);
  const late = watch("late");
  await simulation.run(10);
  assert.deepEqual(told.splice(0), ["late 6881"]);
  (await simulation.complete(udp.stage(at))).commit();
  assert.deepEqual(told, [], "it is bound where it was");
  late[Symbol.dispose]();
  (await simulation.complete(udp.stage([{ ip: "::", port: 6882 }]))).commit();
  assert.deepEqual(told, ["early 6882"]);
  udp.close();
});

Deno.test("who doesn't see what is private claims no datagrams but the DHT's", () => {
  const world = bench();
  const port = world.udp.for({ ...world.claimant("nosy"), seesPrivate: false }, world.guard);
  assert.throws(() => port.claim([0x00], () => true), /add wants: \["private"\]/);
  assert.throws(() => port.claim([0x64, 0x41], () => true), /private/);
  port.claim([0x64], () => true)[Symbol.dispose]();
});

Deno.test("a claim that is to be the last is asked after all others, also after older ones", async () => {
  const world = bench();
  const { simulation, udp } = world;
  const asked: string[] = [];
  for (const name of ["old", "young"]) {
    const port = udp.for(world.claimant(name), world.guard);
    port.claim([0x64], () => asked.push(name) < 0);
    port.claim([0x64], () => asked.push(`${name} at last`) < 0, { last: true });
  }
  (await simulation.complete(udp.stage(at))).commit();
  await world.arrives(0x64, 1);
  assert.deepEqual(asked, ["young", "old", "young at last", "old at last"]);
});

Deno.test("a datagram goes to the newest live claim of its first byte that takes it", async () => {
  const world = bench();
  const { simulation, udp } = world;
  const got: string[] = [];
  const claim = (claimant: Claimant, bytes: number[], takes = true): Disposable =>
    udp.for(claimant, world.guard).claim(bytes, (datagram) => {
      got.push(`${claimant.name} ${[...datagram]}`);
      return takes;
    });
  const old = world.claimant("old");
  const young = world.claimant("young", false);
  claim(old, [0x64]);
  const first = claim(young, [0x64], false);
  claim(world.claimant("tracker"), [0x00, 0x01]);
  (await simulation.complete(udp.stage(at))).commit();
  await world.arrives(0x64, 1);
  young.live = true;
  await world.arrives(0x64, 2);
  first[Symbol.dispose]();
  await world.arrives(0x64, 3);
  await world.arrives(0x01, 4);
  await world.arrives(0x21, 5);
  assert.deepEqual(got.splice(0), ["old 100,1", "young 100,2", "old 100,2", "old 100,3", "tracker 1,4"]);
});

Deno.test("the port is bound when somebody claims it, also late, and moves with the address", async () => {
  const { simulation, host, udp, claimant, guard } = bench();
  (await simulation.complete(udp.stage(at))).commit();
  const port = udp.for(claimant("a"), guard);
  assert.deepEqual(port.addresses, []);
  port.claim([0x64], () => true);
  await simulation.run(1);
  assert.deepEqual(port.addresses.map(({ port }) => port), [6881]);
  const taken = await simulation.complete(host.net.datagrams({ ip: "::", port: 7000 }));
  const moved = [{ ip: "::", port: 7001 }];
  await assert.rejects(simulation.complete(udp.stage([...moved, { ip: "::", port: 7000 }])), /7000/);
  assert.deepEqual(port.addresses.map(({ port }) => port), [6881]);
  (await simulation.complete(udp.stage(moved))).commit();
  assert.deepEqual(port.addresses.map(({ port }) => port), [7001]);
  taken.close();
  port[Symbol.dispose]();
  (await simulation.complete(udp.stage(moved))).commit();
  assert.deepEqual(port.addresses, [], "nobody claims anything any more");
});

Deno.test("an address that overlaps with one in use takes its place, or gives it back", async () => {
  const world = bench();
  const { simulation, host, udp, lost } = world;
  const port = udp.for(world.claimant("a"), world.guard);
  let got = 0;
  port.claim([0x64], () => ++got > 0);
  (await simulation.complete(udp.stage(at))).commit();
  const taken = await simulation.complete(host.net.datagrams({ ip: "::", port: 7000 }));
  const narrow = { ip: "0.0.0.0", port: 6881 };
  await assert.rejects(simulation.complete(udp.stage([narrow, { ip: "::", port: 7000 }])), /7000/);
  await world.arrives(0x64);
  assert.deepEqual([got, port.addresses.map(({ ip }) => ip)], [1, ["::"]]);
  await simulation.complete((await simulation.complete(udp.stage([narrow]))).abort());
  await world.arrives(0x64);
  assert.deepEqual([got, port.addresses.map(({ ip }) => ip)], [2, ["::"]]);
  (await simulation.complete(udp.stage([narrow]))).commit();
  await world.arrives(0x64);
  assert.deepEqual([got, port.addresses.map(({ ip }) => ip)], [3, ["0.0.0.0"]]);
  const staged = await simulation.complete(udp.stage(at));
  const rival = await simulation.complete(host.net.datagrams({ ip: "0.0.0.0", port: 6881 }).catch(() => undefined));
  assert.equal(rival, undefined, "it is ours while it is staged");
  await simulation.complete(staged.abort());
  assert.deepEqual(lost, []);
  taken.close();
});

Deno.test("the guard decides where datagrams go, but for an answer to what is being taken", async () => {
  const world = bench(() => "not there");
  const { simulation, udp, host } = world;
  const port = udp.for(world.claimant("a"), world.guard);
  const sent: boolean[] = [];
  let asker: PeerAddress | undefined;
  port.claim([0x64], (_, from) => {
    asker = from;
    sent.push(port.send(new Uint8Array([1]), from), port.send(new Uint8Array([1]), peerAddress(host.ip, 9)));
    return true;
  });
  (await simulation.complete(udp.stage(at))).commit();
  await world.arrives(0x64);
  sent.push(port.send(new Uint8Array([1]), asker!));
  assert.deepEqual(sent, [true, false, false]);
});

Deno.test("a conversation that the guard allowed once goes on, and so does one with who wrote first", async () => {
  let guarded = false;
  const world = bench(() => guarded ? "not there" : undefined);
  const { simulation, udp, other } = world;
  const port = udp.for(world.claimant("a"), world.guard);
  const flows: (UdpFlow | undefined)[] = [];
  port.claim([0x64], (_, from) => flows.push(port.open(from)) > 0);
  (await simulation.complete(udp.stage(at))).commit();
  flows.push(port.open(peerAddress(other.ip, 9)));
  guarded = true;
  flows.push(port.open(peerAddress(other.ip, 9)));
  await world.arrives(0x64);
  assert.deepEqual(flows.map((flow) => flow?.send(new Uint8Array([1]))), [true, undefined, true]);
  assert.equal(port.pending, 2);
  await simulation.run(1);
  assert.equal(port.pending, 0, "what has left may be written to again");
});

Deno.test("a claim that throws is its plugin's fault, and others still get the datagram", async () => {
  const world = bench();
  const { simulation, udp } = world;
  let got = 0;
  udp.for(world.claimant("fine"), world.guard).claim([0x64], () => ++got > 0);
  udp.for(world.claimant("broken"), world.guard).claim([0x64], () => {
    throw new Error("no");
  });
  (await simulation.complete(udp.stage(at))).commit();
  await world.arrives(0x64);
  await world.arrives(0x64);
  assert.equal(got, 2);
  assert.deepEqual(world.failures.map(({ message }) => message), [
    'Plugin "broken" failed in udp: no',
    'Plugin "broken" failed in udp: no',
  ]);
});
