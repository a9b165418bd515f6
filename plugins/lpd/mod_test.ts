import assert from "node:assert/strict";
import { makeTorrent, SimSwarm, startPlugin } from "weft/testing";
import { type DatagramSocket, InfoHash, peerAddress, type PublicSwarm, swarmAdded, torrentId } from "weft";
import { createSimulation, type MemoryHost, type Simulation } from "../../core/host/memory/mod.ts";
import { decodeAnnounce, encodeAnnounce, groups } from "./codec.ts";
import lpd from "./mod.ts";

const hex = "0123456789abcdef0123456789abcdef01234567";
const other = "f".repeat(40);
const swarm = (hex: string, seeding = false): PublicSwarm => ({
  id: torrentId({ v1: InfoHash.parse(hex) }),
  name: hex,
  seeding,
  nodes: [],
});

/** A neighbour that writes down what it hears in one group. */
async function neighbour(simulation: Simulation, host: MemoryHost, family: 4 | 6 = 4) {
  const said: { at: number; from: string; port: number; infoHashes: readonly string[]; cookie?: string }[] = [];
  const interfaces = (await simulation.complete(host.net.interfaces())).filter(({ loopback }) => !loopback);
  const { ip: group, port } = groups[family];
  const socket: DatagramSocket = await simulation.complete(host.net.multicast({ group, port, interfaces }));
  (async () => {
    for (;;) {
      const { bytes, from } = await socket.receive(new Uint8Array(2048));
      if (from.ip !== host.ip) said.push({ at: simulation.now, from: from.ip, ...decodeAnnounce(bytes) });
    }
  })();
  const send = (bytes: Uint8Array) => simulation.complete(socket.send(bytes, socket.address));
  const announce = (infoHashes: readonly string[], port = 7000) =>
    send(encodeAnnounce(family, { port, infoHashes, cookie: "theirs" }));
  return { said, send, announce };
}

const lan = { plugins: [{ use: "tcp" }, { use: "lpd" }] };

Deno.test("runtimes on one network find each other within two seconds, whenever the second comes", async () => {
  const torrent = makeTorrent({ length: 200_000 });
  for (const wait of [0, 1_000, 4_000, 30_000, 31_000, 33_000, 62_000, 90_000, 290_000, 301_000]) {
    await using world = new SimSwarm(1);
    const { simulation } = world;
    const early = await world.seed("early", torrent, { profile: lan });
    await simulation.run(wait);
    const late = await world.peer("late", { profile: lan });
    const start = simulation.now;
    await world.add(late, torrent);
    const connected = () => [early, late].every(({ runtime }) => runtime.swarm(torrent.id).peers.length === 1);
    await world.until(connected, 2_000);
    assert.ok(simulation.now - start <= 2_000);
    assert.deepEqual([...early.log, ...late.log].filter((line) => !line.startsWith("debug")), []);
  }
});

Deno.test("a download on the network of a seed completes without trackers, over IPv4 and over IPv6", async () => {
  for (const net of ["192.168.0.", "fd00::"]) {
    await using world = new SimSwarm(2);
    const torrent = makeTorrent({ length: 200_000 });
    const { simulation } = world;
    const profile = { ...lan, listen: "[::]:6881" };
    const leech = await world.peer("leech", { profile }, simulation.host("leech", `${net}2`));
    await world.add(leech, torrent);
    await simulation.run(200_000);
    // The seed comes later, and hears no word from the download for a while.
    const host = simulation.host("seed", `${net}1`);
    for (const { path, data } of torrent.files) {
      await simulation.complete(host.disk.makeDirectory("/data"));
      await simulation.complete(host.disk.writeFile(`/data/${path}`, data));
    }
    const seed = await world.peer("seed", { profile }, host);
    await world.add(seed, torrent, { existing: "check" });
    await world.complete(leech, torrent, 20_000);
  }
});

Deno.test("runtimes on different networks don't hear each other", async () => {
  await using world = new SimSwarm(3);
  const torrent = makeTorrent();
  for (const ip of ["192.168.0.1", "192.168.1.1"]) {
    const peer = await world.peer(ip, { profile: lan }, world.simulation.host(ip, ip));
    await world.add(peer, torrent);
  }
  await world.simulation.run(400_000);
  for (const { runtime } of world.peers) assert.equal(runtime.swarm(torrent.id).peers.length, 0);
});

Deno.test("a private swarm is never announced, whatever neighbours say", async () => {
  await using world = new SimSwarm(4);
  const open = makeTorrent({ length: 40_000 });
  const secret = makeTorrent({ length: 50_000, private: true });
  const { said, announce } = await neighbour(world.simulation, world.simulation.host("near", "192.168.0.9"));
  const peer = await world.peer("peer", { profile: lan }, world.simulation.host("peer", "192.168.0.1"));
  await world.add(peer, open);
  await world.add(peer, secret);
  await announce([secret.id, open.id]);
  await world.simulation.run(400_000);
  assert.ok(said.some(({ infoHashes }) => infoHashes.includes(open.id)));
  assert.ok(!said.some(({ infoHashes }) => infoHashes.includes(secret.id)));
  assert.ok(!peer.events.some(({ event, swarm }) => event === "peer.connected" && swarm === secret.id));
});

Deno.test("swarms that come together share an announce, on every interface and in both groups", async () => {
  using simulation = createSimulation({ seed: 5 });
  const host = simulation.host("host", "10.0.1.1", "10.0.2.1", "fd00::1");
  const near = [
    await neighbour(simulation, simulation.host("a", "10.0.1.2")),
    await neighbour(simulation, simulation.host("b", "10.0.2.2")),
    await neighbour(simulation, simulation.host("c", "fd00::3"), 6),
  ];
  await using _ = await startPlugin(lpd, { simulation, host, swarms: [swarm(hex), swarm(other, true)] });
  await simulation.run(1_000);
  assert.deepEqual(near.map(({ said }) => said.map(({ from }) => from)), [["10.0.1.1"], ["10.0.2.1"], ["fd00::1"]]);
  for (const { said: [{ port, infoHashes }] } of near) assert.deepEqual([port, infoHashes], [6881, [hex, other]]);
});

Deno.test("a swarm is announced every five minutes, sooner to a newcomer, and at most once a minute", async () => {
  using simulation = createSimulation({ seed: 6 });
  const { said, announce } = await neighbour(simulation, simulation.host("near", "10.0.0.2"));
  const host = simulation.host("host", "10.0.0.1");
  await using bench = await startPlugin(lpd, { simulation, host, swarms: [swarm(hex)] });
  const own = () => said.map(({ at }) => Math.floor(at / 1_000));
  await simulation.run(310_000);
  assert.deepEqual(own(), [0, 300]);
  for (let i = 0; i < 100; i++) {
    await announce([hex], 7001 + i);
    bench.bus.emit(swarmAdded, { id: swarm(hex).id, name: "", private: false });
    await simulation.run(1_000);
  }
  assert.deepEqual(own(), [0, 300, 360]);
});

Deno.test("only the interfaces that are named are used, and one that isn't there is told once", async () => {
  using simulation = createSimulation({ seed: 7 });
  const host = simulation.host("host", "10.0.1.1", "10.0.2.1");
  const a = await neighbour(simulation, simulation.host("a", "10.0.1.2"));
  const b = await neighbour(simulation, simulation.host("b", "10.0.2.2"));
  const options = { simulation, host, swarms: [swarm(hex)], with: { interfaces: ["eth1", "eth7"] } };
  await using bench = await startPlugin(lpd, options);
  await simulation.run(200_000);
  assert.equal(a.said.length, 0);
  assert.equal(b.said.length, 1);
  assert.deepEqual(bench.log, [
    'warn: Cannot use interface "eth7": it is not up, there are "lo", "eth0", "eth1"',
  ]);
});

Deno.test("without leave to list the interfaces, the default one is used, which is told once", async () => {
  using simulation = createSimulation({ seed: 8 });
  const host = simulation.host("host", "10.0.0.1");
  const unlisted = { name: "", index: 0, ips: [], loopback: false, tunnel: false };
  host.net.interfaces = () => Promise.resolve([unlisted]);
  const { said } = await neighbour(simulation, simulation.host("near", "10.0.0.2"));
  await using bench = await startPlugin(lpd, { simulation, host, swarms: [swarm(hex)] });
  await simulation.run(200_000);
  assert.equal(said.length, 1);
  assert.equal(bench.log.filter((line) => line.includes("--allow-sys=networkInterfaces")).length, 1);
});

Deno.test("a network that appears later is joined, and told what was said before", async () => {
  using simulation = createSimulation({ seed: 9 });
  const host = simulation.host("host", "10.0.0.1");
  const { interfaces } = host.net;
  host.net.interfaces = () => Promise.resolve([]);
  const { said } = await neighbour(simulation, simulation.host("near", "10.0.0.2"));
  await using _ = await startPlugin(lpd, { simulation, host, swarms: [swarm(hex)] });
  await simulation.run(100_000);
  assert.equal(said.length, 0);
  host.net.interfaces = interfaces;
  await simulation.run(61_000);
  assert.equal(said.length, 1);
});

Deno.test("the next generation keeps the cookie and the pace of the one before", async () => {
  await using world = new SimSwarm(10);
  const torrent = makeTorrent();
  const { said } = await neighbour(world.simulation, world.simulation.host("near", "192.168.0.9"));
  const peer = await world.peer("peer", { profile: lan }, world.simulation.host("peer", "192.168.0.1"));
  await world.add(peer, torrent);
  await world.simulation.run(100_000);
  await world.reload(peer, { profile: lan, versions: { lpd: "2" } });
  await world.simulation.run(520_000);
  assert.equal(said.length, 3);
  assert.equal(new Set(said.map(({ cookie }) => cookie)).size, 1);
  assert.ok(said[1].at - said[0].at >= 299_000);
});

Deno.test("noise in the group is ignored, and what follows it is not", async () => {
  using simulation = createSimulation({ seed: 11 });
  const host = simulation.host("host", "10.0.0.1");
  const { send, announce } = await neighbour(simulation, simulation.host("near", "10.0.0.2"));
  await using bench = await startPlugin(lpd, { simulation, host, swarms: [swarm(hex)] });
  await simulation.run(1_000);
  for (let i = 0; i < 500; i++) await send(simulation.random.bytes(simulation.random.below(1_500)));
  await simulation.run(1_000);
  await announce([other, hex]);
  await simulation.run(1_000);
  const { candidates } = await bench.discover(swarm(hex).id); // the whole of a round
  assert.deepEqual(candidates, [{ address: peerAddress("10.0.0.2", 7000), namedBy: "10.0.0.2" }]);
  assert.deepEqual([bench.log, bench.failures], [[], []]);
});
