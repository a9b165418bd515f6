// Strangers who take every place that they can get: silent connections, and sessions that neither give nor take.
import assert from "node:assert/strict";
import type { MemoryHost } from "../../core/host/memory/mod.ts";
import { encodeHandshake, InfoHash, parsePeerAddress } from "../../core/wire/mod.ts";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm, type SimTorrent } from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 2_000_000 });
let peerIds = 0;

/** Connects over and over, and says nothing. */
async function besiege(host: MemoryHost, to: string, sockets: number): Promise<void> {
  const address = parsePeerAddress(to);
  const hold = async (): Promise<void> => {
    for (;;) {
      const stream = await host.net.connect(address);
      while (await stream.read(new Uint8Array(100)).catch(() => 0) > 0);
      stream.close();
      await new Promise<void>((resolve) => void host.clock.after(2_000 + host.random.below(6_000), resolve));
    }
  };
  await Promise.all(Array.from({ length: sockets }, hold));
}

/** Connects, shakes hands, and sends a keep-alive each half minute; comes again when it is closed. */
async function sitIdle(host: MemoryHost, to: string, { id }: SimTorrent, sessions: number): Promise<void> {
  const address = parsePeerAddress(to);
  const sit = async (): Promise<void> => {
    for (;;) {
      const stream = await host.net.connect(address);
      const peerId = new TextEncoder().encode(`-XX0001-${peerIds++}`.padEnd(20, "-"));
      const reserved = { extended: false, fast: false, dht: false };
      await stream.write(encodeHandshake({ infoHash: InfoHash.parse(id), peerId, reserved })).catch(() => {});
      let open = true;
      const keepAlive = (): void => {
        if (!open) return;
        void stream.write(new Uint8Array(4)).catch(() => {});
        host.clock.after(30_000, keepAlive);
      };
      keepAlive();
      while (await stream.read(new Uint8Array(4_096)).catch(() => 0) > 0);
      open = false;
      stream.close();
      await new Promise<void>((resolve) => void host.clock.after(2_000 + host.random.below(6_000), resolve));
    }
  };
  await Promise.all(Array.from({ length: sessions }, sit));
}

/** Hosts with addresses in networks of their own, or all in a few. */
function attackers(swarm: SimSwarm, count: number, networks = count): MemoryHost[] {
  return Array.from({ length: count }, (_, i) => {
    const network = i % networks;
    return swarm.simulation.host(
      `attacker ${i}`,
      `45.${network >> 8}.${network & 255}.${1 + Math.floor(i / networks)}`,
    );
  });
}

function connected(peer: SimPeer): readonly string[] {
  return peer.runtime.swarm(torrent.id).peers.map(({ address }) => address.split(":")[0]);
}

for (const [hosts, networks] of [[20, 1], [20, 20], [100, 3], [100, 100]] as const) {
  Deno.test(`${hosts} addresses of ${networks} networks with ten silent sockets each keep nobody out`, async () => {
    await using swarm = new SimSwarm(1);
    const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "2 MB/s" } } });
    for (const host of attackers(swarm, hosts, networks)) void besiege(host, seed.address, 10).catch(() => {});
    await swarm.simulation.run(15_000);
    const began = swarm.simulation.now;
    const leeches: SimPeer[] = [];
    for (let i = 0; i < 10; i++) leeches.push(await swarm.peer(`leech ${i}`));
    for (const leech of leeches) await swarm.add(leech, torrent, { peers: [seed.address] });
    await swarm.until(() => leeches.every(({ runtime }) => runtime.swarm(torrent.id).downloaded > 0), 10_000);
    for (const leech of leeches) await swarm.complete(leech, torrent);
    assert.ok(swarm.simulation.now - began < 15_000, `it took ${swarm.simulation.now - began} ms`);
  });
}

Deno.test("a seed full of peers that neither give nor take has a place for an honest one within seconds", async () => {
  await using swarm = new SimSwarm(2);
  const seed = await swarm.seed("seed", torrent);
  for (const host of attackers(swarm, 5)) void sitIdle(host, seed.address, torrent, 15).catch(() => {});
  await swarm.simulation.run(60_000);
  assert.equal(seed.runtime.swarm(torrent.id).connected, 60, "all places are taken");
  const leech = await swarm.peer("leech");
  const began = swarm.simulation.now;
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent);
  assert.ok(swarm.simulation.now - began < 10_000, `it took ${swarm.simulation.now - began} ms`);
});

Deno.test("a leech full of such peers dials at once whom its user named, and lets that one in", async () => {
  for (const incoming of [false, true]) {
    await using swarm = new SimSwarm(3);
    const seed = await swarm.seed("seed", torrent);
    const leech = await swarm.peer("leech");
    await swarm.add(leech, torrent);
    for (const host of attackers(swarm, 75)) void sitIdle(host, leech.address, torrent, 1).catch(() => {});
    // Too young to be sent away.
    await swarm.simulation.run(5_000);
    assert.equal(leech.runtime.swarm(torrent.id).connected, 60);
    const began = swarm.simulation.now;
    const [from, to] = incoming ? [seed, leech] : [leech, seed];
    await swarm.simulation.complete(leech.runtime.addPeers(torrent.id, [seed.address]));
    if (incoming) await swarm.simulation.complete(from.runtime.addPeers(torrent.id, [to.address]));
    await swarm.until(() => connected(leech).includes(seed.host.ip), 5_000);
    await swarm.complete(leech, torrent);
    assert.ok(await sameFiles(swarm, leech, torrent));
    assert.ok(swarm.simulation.now - began < 10_000, `it took ${swarm.simulation.now - began} ms`);
  }
});

Deno.test("with 500 hostile addresses the honest are at least four fifths as fast", async () => {
  const large = makeTorrent({ length: 6_000_000 });
  const took = async (hostile: number): Promise<number> => {
    await using swarm = new SimSwarm(4);
    const seed = await swarm.seed("seed", large, { profile: { limits: { up: "300 KB/s" } } });
    const hosts = attackers(swarm, hostile);
    for (const [i, host] of hosts.entries()) {
      void (i % 2 === 0 ? besiege(host, seed.address, 3) : sitIdle(host, seed.address, large, 2)).catch(() => {});
    }
    await swarm.simulation.run(30_000);
    const leeches: SimPeer[] = [];
    for (let i = 0; i < 4; i++) {
      leeches.push(await swarm.peer(`leech ${i}`, { profile: { limits: { up: "300 KB/s" } } }));
    }
    const began = swarm.simulation.now;
    for (const leech of leeches) {
      const others = leeches.filter((other) => other !== leech).map(({ address }) => address);
      await swarm.add(leech, large, { peers: [seed.address, ...others] });
    }
    for (const leech of leeches) {
      for (const host of hosts.slice(0, 100)) void sitIdle(host, leech.address, large, 1).catch(() => {});
    }
    for (const leech of leeches) await swarm.complete(leech, large);
    return swarm.simulation.now - began;
  };
  const [alone, beside] = [await took(0), await took(500)];
  assert.ok(beside < alone / 0.8, `it took ${beside} ms beside them, ${alone} ms without`);
});
