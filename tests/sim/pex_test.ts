import assert from "node:assert/strict";
import { definePlugin, object, type Plugin, TokenBucket, wireExtensions } from "../../core/api/mod.ts";
import { PeerPool } from "../../core/swarm/peers/pool.ts";
import { decodeExtendedHandshake, encodeExtendedHandshake, peerAddress, ProtocolError } from "../../core/wire/mod.ts";
import { contact, decodePex, encodePex, PexFlag, type PexMessage } from "../../plugins/pex/codec.ts";
import { PexSession, SWARM_NAMED } from "../../plugins/pex/session.ts";
import { ScriptedPeer } from "../support/scripted_peer.ts";
import { makeTorrent, type SimPeer, SimSwarm, type SimTorrent } from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 3_000_000 });
const pex = { plugins: [{ use: "tcp" }, { use: "pex" }] };
const slow = { ...pex, limits: { up: "50 kB/s" } };

const peersOf = (peer: SimPeer, of: SimTorrent = torrent): Record<string, string> =>
  Object.fromEntries(peer.runtime.swarm(of.id).peers.map(({ address, source }) => [address.split(":")[0], source]));

Deno.test("of three, two know only the third, and find each other through it", async () => {
  await using swarm = new SimSwarm(1);
  const known = await swarm.seed("known", torrent, { profile: slow });
  const [a, b] = [await swarm.peer("a", { profile: pex }), await swarm.peer("b", { profile: pex })];
  for (const peer of [a, b]) await swarm.add(peer, torrent, { peers: [known.address] });
  const begun = swarm.simulation.now;
  await swarm.until(() => a.host.ip in peersOf(b) && b.host.ip in peersOf(a));
  const took = swarm.simulation.now - begun;
  assert.ok(took < 20_000, `it took ${took} ms`);
  assert.deepEqual([peersOf(a)[b.host.ip], peersOf(b)[a.host.ip]].sort(), ["incoming", "pex"]);
  for (const peer of [a, b]) await swarm.complete(peer, torrent);
});

/** How many it knows that it isn't connected to. */
function known(peer: SimPeer, of = torrent): number {
  const { candidates, connected } = peer.runtime.swarm(of.id);
  return candidates - connected;
}

/** The id by which the scripted peers take ut_pex. */
const ID = 5;

/** A peer that follows a script and speaks ut_pex, as one that listens on `port`. */
async function stranger(swarm: SimSwarm, name: string, to: SimPeer, of = torrent, port = 7000): Promise<ScriptedPeer> {
  const host = swarm.simulation.host(name);
  const peer = await swarm.simulation.complete(ScriptedPeer.join(host, to.address, of.id, { peerId: `-${name}-` }));
  offer(peer, ID, port);
  return peer;
}

function offer(peer: ScriptedPeer, id: number, port?: number): void {
  peer.say((writer) => writer.extended(0, encodeExtendedHandshake({ m: new Map([["ut_pex", id]]), p: port })));
}

/** What our extension handshakes said of ut_pex, one after another. */
function offers(peer: ScriptedPeer): (number | undefined)[] {
  return extended(peer, 0).map((payload) => decodeExtendedHandshake(payload).m.get("ut_pex"));
}

function messages(peer: ScriptedPeer): PexMessage[] {
  return extended(peer, ID).map(decodePex);
}

function extended(peer: ScriptedPeer, id: number): Uint8Array[] {
  return peer.heard.filter(({ name, values }) => name === "extended" && values[0] === id)
    .map(({ values }) => values[1] as Uint8Array);
}

const keys = (peers: PexMessage["dropped"]): string[] => peers.map(({ key }) => key);
const added = (message: PexMessage): string[] => keys(message.added.map(({ address }) => address));

Deno.test("a peer is told who is there and can be reached, then who came and left, a minute later", async () => {
  await using swarm = new SimSwarm(2);
  const hub = await swarm.peer("hub", { profile: pex });
  await swarm.add(hub, torrent);
  const other = await stranger(swarm, "other", hub, torrent, 7001);
  const hidden = await swarm.simulation.complete(
    ScriptedPeer.join(swarm.simulation.host("hidden"), hub.address, torrent.id, { peerId: "-hidden-" }),
  );
  offer(hidden, ID);
  const listener = await stranger(swarm, "listener", hub);
  const ips = [other, listener].map(({ stream }) => stream.local.ip);
  await swarm.simulation.run(10_000);
  assert.deepEqual(messages(listener).map(added), [[`${ips[0]}:7001`]]);
  assert.deepEqual(messages(other).map(added), [[`${ips[1]}:7000`]]);
  assert.deepEqual(added(messages(hidden)[0]).sort(), [`${ips[0]}:7001`, `${ips[1]}:7000`].sort());
  other.close();
  const third = await stranger(swarm, "third", hub, torrent, 7003);
  await swarm.simulation.run(45_000);
  assert.equal(messages(listener).length, 1);
  await swarm.simulation.run(30_000);
  const [, second, ...more] = messages(listener);
  assert.deepEqual([added(second), keys(second.dropped)], [[`${third.stream.local.ip}:7003`], [`${ips[0]}:7001`]]);
  assert.deepEqual(more, []);
});

Deno.test("peers that we dialed are named as reachable, and partial seeds as such (BEP 21)", async () => {
  await using swarm = new SimSwarm(3);
  const hub = await swarm.peer("hub", { profile: pex });
  const seed = await swarm.peer("leech", { profile: pex });
  await swarm.add(seed, torrent);
  await swarm.add(hub, torrent, { peers: [seed.address] });
  const host = swarm.simulation.host("partial");
  const partial = await swarm.simulation.complete(
    ScriptedPeer.join(host, hub.address, torrent.id, { peerId: "-part" }),
  );
  partial.say((writer) => writer.extended(0, encodeExtendedHandshake({ m: new Map(), p: 7001, uploadOnly: true })));
  const listener = await stranger(swarm, "listener", hub);
  await swarm.simulation.run(10_000);
  const flags = Object.fromEntries(messages(listener)[0].added.map(({ address, flags }) => [address.key, flags]));
  assert.deepEqual(flags, { [seed.address]: PexFlag.reachable, [`${host.ip}:7001`]: PexFlag.uploadOnly });
});

Deno.test("switched on, replaced and off by reloads, pex goes on with live sessions where it was", async () => {
  await using swarm = new SimSwarm(4);
  const hub = await swarm.peer("hub");
  await swarm.add(hub, torrent);
  const first = await stranger(swarm, "first", hub, torrent, 7001);
  const listener = await stranger(swarm, "listener", hub);
  await swarm.simulation.run(10_000);
  assert.deepEqual([offers(listener), messages(listener)], [[undefined], []]);

  await swarm.reload(hub, { profile: pex });
  await swarm.simulation.run(10_000);
  const id = offers(listener).at(-1)!;
  assert.ok(id > 0);
  assert.deepEqual(messages(listener).map(added), [[`${first.stream.local.ip}:7001`]]);

  await swarm.reload(hub, { profile: pex, versions: { pex: "2" } });
  const second = await stranger(swarm, "second", hub, torrent, 7002);
  await swarm.simulation.run(30_000);
  assert.equal(messages(listener).length, 1, "told again within a minute");
  await swarm.simulation.run(45_000);
  assert.deepEqual(messages(listener).map(added).slice(1), [[`${second.stream.local.ip}:7002`]]);
  listener.say((writer) => writer.extended(id, encodePex([contact(peerAddress("192.0.2.7", 1), 0)], [])));
  await swarm.simulation.run(100);
  assert.equal(known(hub), 1);

  await swarm.reload(hub, {});
  await swarm.simulation.run(80_000);
  assert.equal(offers(listener).at(-1), 0);
  assert.equal(messages(listener).length, 2);
  assert.equal(listener.closed, false);
});

Deno.test("in a private swarm there is no pex, and a plugin that tries by another name learns and tells nothing", async () => {
  await using swarm = new SimSwarm(5);
  const secret = makeTorrent({ length: 500_000, private: true });
  const seen: unknown[] = [];
  const spy = definePlugin({
    name: "spy",
    wants: ["private"],
    config: object({}),
    setup(plugin) {
      plugin.provide(wireExtensions, "spy", {
        join: (peer) => ({
          message() {
            seen.push(peer.private, peer.connected());
            peer.found([peerAddress("192.0.2.7", 6881)]);
          },
        }),
      });
    },
  }) as Plugin;
  const profile = { plugins: [...pex.plugins, { use: "spy" }] };
  const hub = await swarm.peer("hub", { profile, plugins: { spy } });
  await swarm.add(hub, secret);
  const listener = await stranger(swarm, "listener", hub, secret);
  await stranger(swarm, "other", hub, secret);
  await swarm.simulation.run(1_000);
  const { m } = decodeExtendedHandshake(extended(listener, 0)[0]);
  assert.deepEqual([...m.keys()], ["spy"]);
  for (const id of [1, 2, 3]) {
    listener.say((writer) => writer.extended(id, encodePex([contact(peerAddress("192.0.2.8", 6881), 0)], [])));
  }
  await swarm.simulation.run(100_000);
  assert.deepEqual(seen, [true, []]);
  assert.deepEqual(messages(listener), []);
  assert.equal(known(hub, secret), 0);
});

Deno.test("peers that lie about others fill neither the pool nor memory, and who floods is closed", async () => {
  await using swarm = new SimSwarm(6);
  // Nobody is dialed, so that all who were taken stay countable.
  const hub = await swarm.peer("hub", { profile: { ...pex, limits: { dials: 1 } } });
  await swarm.add(hub, torrent);
  const liar = await stranger(swarm, "liar", hub);
  await swarm.simulation.run(1_000);
  const id = offers(liar)[0]!;
  const lie = (peer: ScriptedPeer, n: number): void => {
    const many = Array.from({ length: 100 }, (_, i) => contact(peerAddress(`93.${n >> 8}.${n & 255}.${i}`, 6881), 0));
    peer.say((writer) => writer.extended(id, encodePex(many, many)));
  };
  for (let n = 0; n < 18; n++) lie(liar, n);
  await swarm.simulation.run(1_000);
  assert.equal(liar.closed, false);
  assert.equal(known(hub), 200);
  for (let n = 18; n < 30; n++) lie(liar, n);
  await swarm.simulation.run(1_000);
  assert.equal(liar.closed, true);
  assert.equal(known(hub), 200);
});

Deno.test("whoever comes along pex shows it as its source, and local addresses don't pass the egress guard", async () => {
  await using swarm = new SimSwarm(7);
  const hub = await swarm.peer("hub", { profile: pex });
  const seed = await swarm.seed("seed", torrent);
  await swarm.add(hub, torrent);
  const listener = await stranger(swarm, "listener", hub);
  await swarm.simulation.run(1_000);
  const local = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "224.0.0.1"].map((ip) => contact(peerAddress(ip, 80), 0));
  const good = contact(peerAddress(seed.host.ip, 6881), PexFlag.uploadOnly);
  listener.say((writer) => writer.extended(offers(listener)[0]!, encodePex([...local, good], [])));
  await swarm.until(() => seed.host.ip in peersOf(hub));
  assert.equal(peersOf(hub)[seed.host.ip], "pex");
  assert.equal(known(hub), 0);
});

/** A message with room for 100 peers, and where they stand in it. */
const LIE = new TextEncoder().encode(`d5:added600:${"x".repeat(600)}e`);
const LIE_AT = "d5:added600:".length;

Deno.test("a hundred thousand peers that liars name in an hour leave the pool at its bound", async () => {
  await using swarm = new SimSwarm(8);
  // All connections are taken, so that nobody is dialed.
  const hub = await swarm.peer("hub", { profile: { ...pex, limits: { connections: 20 } } });
  await swarm.add(hub, torrent, { peers: ["192.0.2.7:6881"] });
  const liars: ScriptedPeer[] = [];
  for (let i = 0; i < 20; i++) liars.push(await stranger(swarm, `liar ${i}`, hub));
  await swarm.simulation.run(1_000);
  const id = offers(liars[0])[0]!;
  const lie = LIE.slice();
  let named = 0;
  for (let minute = 0; minute < 50; minute++) {
    for (const [n, { closed }] of liars.entries()) {
      // Whoever only names others has to leave its place to those, and comes again.
      if (closed) liars[n] = await stranger(swarm, `liar ${n} again ${minute}`, hub);
      const liar = liars[n];
      for (let i = 0; i < 100; i++, named++) {
        lie.set([20 + (named >> 16), named >> 8 & 255, named & 255, 9, 26, 225], LIE_AT + 6 * i);
      }
      liar.say((writer) => writer.extended(id, lie));
    }
    await swarm.simulation.run(62_000);
    assert.ok(hub.runtime.swarm(torrent.id).candidates <= 2_000);
  }
  assert.equal(named, 100_000);
  assert.ok(hub.runtime.swarm(torrent.id).candidates >= 1_990, "and full");
});

Deno.test("a million peers that ever new liars name push out nobody whom others named, and most aren't even looked at", () => {
  const random = { bytes: (length: number) => new Uint8Array(length), below: () => 0 };
  const pool = new PeerPool({ random });
  const honest = Array.from({ length: 300 }, (_, i) => peerAddress(`93.184.${i >> 8}.${i & 255}`, 6881));
  for (const address of honest) pool.add(0, address, "tracker");
  const named = new TokenBucket(0, SWARM_NAMED);
  let [said, taken] = [0, 0];
  for (let liar = 0; said < 1_000_000; liar++) {
    const session = new PexSession({ now: liar * 100, ip: "192.0.2.1", random });
    try {
      for (;;) {
        const lie = LIE.slice();
        for (let i = 0; i < 100; i++, said++) {
          lie.set([20 + (said >> 16), said >> 8 & 255, said & 255, 9, 26, 225], LIE_AT + 6 * i);
        }
        const found = session.handleMessage(liar * 100, lie, { swarm: named, seeding: false });
        for (const address of found) if (pool.add(liar * 100, address, "pex")) taken++;
        assert.ok(pool.size <= 2_000);
      }
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
    }
  }
  assert.ok(honest.every(({ key }) => pool.get(key)));
  assert.equal(pool.size, 2_000);
  assert.ok(taken < 3_000, `${taken} taken`);
});
