import assert from "node:assert/strict";
import type { MemoryHost } from "../../core/host/memory/mod.ts";
import { makeTorrent, sameFiles, type SimPeer, SimSwarm } from "../support/sim_swarm.ts";
import { handshakeBytes, ScriptedPeer } from "../support/scripted_peer.ts";
import { encode } from "../../core/wire/mod.ts";

const BLOCK = 16 * 1024;
const torrent = makeTorrent({ length: 4_000_000, pieceLength: 64 * 1024 });
const PIECES = 62;

/** A world in which an honest leecher fetches from a seed that sends 400 KB/s, which takes about ten seconds. */
interface World {
  readonly swarm: SimSwarm;
  readonly seed: SimPeer;
  readonly leech: SimPeer;
  /** The attacker's machine. */
  readonly host: MemoryHost;
}

/** Runs an attack beside the honest transfer, and returns how long that took (ms). */
async function beside(attack: (world: World) => void | Promise<void>): Promise<number> {
  await using swarm = new SimSwarm(11);
  const seed = await swarm.seed("seed", torrent, { profile: { limits: { up: "400 KB/s" } } });
  const leech = await swarm.peer("leech");
  const host = swarm.simulation.host("attacker");
  const start = swarm.simulation.now;
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.simulation.run(1_000);
  const under = Promise.resolve(attack({ swarm, seed, leech, host }));
  // Awaited below, when the honest are done.
  under.catch(() => {});
  await swarm.complete(leech, torrent);
  const took = swarm.simulation.now - start;
  await swarm.simulation.complete(under);
  assert.ok(await sameFiles(swarm, leech, torrent));
  return took;
}

let baseline: number | undefined;

/** Runs an attack, and asserts that the honest transfer took as long as without it, within a tenth. */
async function unslowed(attack: (world: World) => void | Promise<void>): Promise<void> {
  baseline ??= await beside(() => {});
  const took = await beside(attack);
  assert.ok(Math.abs(took - baseline) <= baseline / 10, `it took ${took} ms, without the attack ${baseline} ms`);
}

const frame = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

/** What a peer says once it has shaken hands, which closes it at once. */
const violations: Readonly<Record<string, (peer: ScriptedPeer) => void>> = {
  "a choke of two bytes": (peer) => peer.raw(frame(0, 0, 0, 2, 0, 0)),
  "a have of three bytes": (peer) => peer.raw(frame(0, 0, 0, 4, 4, 0, 0, 0)),
  "a have beyond the last piece": (peer) => peer.say((writer) => writer.have(PIECES)),
  "a frame of 4 GiB": (peer) => peer.raw(frame(255, 255, 255, 255, 7)),
  "a block of 300 KiB": (peer) => peer.say((writer) => writer.blockHeader(0, 0, 300 * 1024)),
  "an unknown message of 1 MiB": (peer) => peer.raw(frame(0, 16, 0, 0, 99)),
  "a bitfield of a wrong length": (peer) => peer.say((writer) => writer.bitfield(new Uint8Array(9))),
  "a bitfield with spare bits": (peer) => peer.say((writer) => writer.bitfield(new Uint8Array(8).fill(255))),
  "a request beyond the piece": (peer) => peer.say((writer) => writer.request(0, 64 * 1024 - 1, BLOCK)),
  "a request of 129 KiB": (peer) => peer.say((writer) => writer.request(0, 0, 129 * 1024)),
  "a request of nothing": (peer) => peer.say((writer) => writer.request(0, 0, 0)),
  "have-all as the second message": (peer) => peer.say((writer) => (writer.interested(), writer.haveAll())),
  "an extension handshake that is no dictionary": (peer) => peer.say((w) => w.extended(0, frame(0x69, 0x31, 0x65))),
  "an extension handshake that never ends": (peer) =>
    peer.say((writer) => writer.extended(0, new Uint8Array(5_000).fill(0x6c))),
  "an extended message of 200 KiB": (peer) => peer.say((writer) => writer.extended(1, new Uint8Array(200 * 1024))),
};

for (const [name, violate] of Object.entries(violations)) {
  Deno.test(`${name} closes the peer at once, and slows nobody`, async () => {
    await unslowed(async ({ seed, host }) => {
      const peer = await ScriptedPeer.join(host, seed.address, torrent.id);
      assert.ok(!peer.closed);
      violate(peer);
      await later(host, 100);
      assert.ok(peer.closed, "it is still connected");
    });
  });
}

Deno.test("whoever is closed for a violation is told to the log of events, with the reason", async () => {
  await unslowed(async ({ seed, host }) => {
    const peer = await ScriptedPeer.join(host, seed.address, torrent.id);
    peer.say((writer) => writer.have(1_000));
    await later(host, 100);
    const closed = seed.events.filter(({ event }) => event === "peer.closed");
    assert.match(String(closed[0].data.reason), /have: piece must be below 62, current value is 1000/);
  });
});

Deno.test("garbage in place of a handshake is closed as soon as it shows", async () => {
  await unslowed(async ({ seed, host }) => {
    for (const bytes of [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n  "), new Uint8Array(68).fill(19)]) {
      const peer = await ScriptedPeer.connect(host, seed.address);
      peer.raw(bytes);
      void peer.listen();
      await later(host, 100);
      assert.ok(peer.closed);
    }
  });
});

Deno.test("an unknown info-hash gets no answer", async () => {
  await unslowed(async ({ seed, host }) => {
    const peer = await ScriptedPeer.join(host, seed.address, "ab".repeat(20));
    assert.ok(peer.closed);
  });
});

Deno.test("a handshake that drips is closed after 10 seconds, and a whole one in single bytes is not", async () => {
  await unslowed(async ({ seed, host }) => {
    const slow = await ScriptedPeer.connect(host, seed.address);
    void slow.listen();
    const start = host.clock.now();
    const patient = await ScriptedPeer.connect(host, seed.address);
    void patient.stream.read(new Uint8Array(68)).then(() => patient.listen());
    const bytes = handshakeBytes(torrent.id);
    for (let i = 0; i < bytes.length; i++) {
      patient.raw(bytes.subarray(i, i + 1));
      if (i % 8 === 0) slow.raw(bytes.subarray(i / 8, i / 8 + 1));
      await later(host, 20);
    }
    while (!slow.closed) await later(host, 100);
    const seconds = (host.clock.now() - start) / 1000;
    assert.ok(seconds > 9.9 && seconds < 10.5, `it was closed after ${seconds} s`);
    assert.ok(!patient.closed);
  });
});

Deno.test("one address can hold no more than ten handshakes, and open no more than ten connections a second", async () => {
  await unslowed(async ({ seed, host }) => {
    const peers: ScriptedPeer[] = [];
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 50; i++) peers.push(await ScriptedPeer.connect(host, seed.address));
      for (const peer of peers.slice(-50)) void peer.listen();
      await later(host, 1_000);
    }
    const open = peers.filter(({ closed }) => !closed).length;
    assert.ok(open <= 10, `${open} handshakes are pending`);
    for (const peer of peers) peer.close();
  });
});

Deno.test("of ten thousand requests 500 are queued, and the rest refused little by little", async () => {
  await unslowed(async ({ seed, host }) => {
    const peer = await ScriptedPeer.join(host, seed.address, torrent.id);
    // Choked, all of them are.
    peer.say((writer) => {
      for (let i = 0; i < 10_000; i++) writer.request(i % (PIECES - 1), 0, BLOCK);
    });
    await later(host, 1_000);
    // Some pieces may be had while choked (BEP 6), each of them once.
    const allowed = peer.count("allowedFast") * 4;
    assert.ok(allowed > 0 && allowed <= 40);
    // Refusals are work for nothing: who wants many is read slowly.
    const refused = peer.count("reject");
    assert.ok(refused > 1_500 && refused < 2_500, `${refused} were refused in a second`);
    assert.ok(!peer.closed);
    peer.close();
  });
});

Deno.test("interest that flaps is acted upon now and then, and costs the honest nothing", async () => {
  await unslowed(async ({ seed, host }) => {
    const peers = await Promise.all(
      Array.from(
        { length: 5 },
        (_, i) => ScriptedPeer.join(host, seed.address, torrent.id, { peerId: `-XX-flap-${"abcde"[i]}` }),
      ),
    );
    for (let round = 0; round < 40; round++) {
      for (const peer of peers) {
        peer.say((writer) => {
          for (let i = 0; i < 100; i++) {
            writer.interested();
            writer.notInterested();
          }
        });
      }
      await later(host, 50);
    }
    for (const peer of peers) {
      const turns = peer.count("unchoke") + peer.count("choke");
      assert.ok(turns <= 60, `it was choked and unchoked ${turns} times in 2 s`);
      assert.ok(!peer.closed);
      peer.close();
    }
  });
});

Deno.test("metadata counts against the upload limit, however many ask for it again and again", async () => {
  await using swarm = new SimSwarm(21);
  const { simulation } = swarm;
  const plugins = [{ use: "tcp" }, { use: "metadata" }];
  const large = makeTorrent({ length: 40_000 * 1024, pieceLength: 1024 });
  const seed = await swarm.seed("seed", large, { profile: { plugins, limits: { up: "200 KB/s" } } });
  const host = simulation.host("attacker");
  const bytes = { sent: 0 };
  const peers: ScriptedPeer[] = [];
  for (let i = 0; i < 10; i++) {
    const peer = await simulation.complete(ScriptedPeer.join(host, seed.address, large.id, { peerId: `-XX-m${i}` }));
    peer.say((writer) => writer.extended(0, encode({ m: { ut_metadata: 3 } })));
    peers.push(peer);
  }
  await simulation.run(1_000);
  const began = simulation.now;
  for (let round = 0; round < 100; round++) {
    for (const peer of peers) {
      const [greeting] = peer.heard.filter(({ name, values: [id] }) => name === "extended" && id === 0);
      const id = /11:ut_metadatai(\d+)e/.exec(new TextDecoder("latin1").decode(greeting.values[1] as Uint8Array))![1];
      peer.say((writer) => writer.extended(Number(id), encode({ msg_type: 0, piece: round % 40 })));
    }
    await simulation.run(100);
  }
  for (const peer of peers) {
    for (const { name, values } of peer.heard) if (name === "extended") bytes.sent += (values[1] as Uint8Array).length;
  }
  const rate = bytes.sent / (simulation.now - began);
  assert.ok(rate > 150 && rate < 215, `${rate} KB/s were sent`);
});

Deno.test("a flood of haves, cancels, interest and keep-alives changes nothing", async () => {
  await unslowed(async ({ seed, host }) => {
    const peer = await ScriptedPeer.join(host, seed.address, torrent.id);
    for (let round = 0; round < 20; round++) {
      peer.say((writer) => {
        for (let i = 0; i < 500; i++) {
          writer.have(i % (PIECES - 1));
          writer.cancel(0, 0, BLOCK);
          writer.keepAlive();
          writer.notInterested();
        }
      });
      await later(host, 50);
    }
    assert.ok(!peer.closed);
    peer.close();
  });
});

Deno.test("a peer that sends what nobody asked for is closed after 16 MiB", async () => {
  await unslowed(async ({ seed, host }) => {
    const peer = await ScriptedPeer.join(host, seed.address, torrent.id);
    const bytes = new Uint8Array(BLOCK);
    let sent = 0;
    for (; !peer.closed && sent < 2_000; sent++) {
      peer.block(sent % PIECES, 0, bytes);
      if (sent % 50 === 0) await later(host, 10);
    }
    assert.ok(sent >= 1024 && sent < 1200, `${sent} blocks were taken`);
    assert.equal(seed.runtime.swarm(torrent.id).state, "seeding");
  });
});

Deno.test("a peer that asks and never reads is closed when a mebibyte waits for it", async () => {
  await using swarm = new SimSwarm(12);
  const seed = await swarm.seed("seed", torrent);
  const host = swarm.simulation.host("attacker");
  const peer = await swarm.simulation.complete(ScriptedPeer.join(host, seed.address, torrent.id, { deaf: true }));
  peer.say((writer) => writer.interested());
  await swarm.simulation.run(11_000);
  for (let round = 0; round < 20; round++) {
    peer.say((writer) => {
      for (let i = 0; i < 5_000; i++) writer.request(i % (PIECES - 1), 0, BLOCK);
    });
    await swarm.simulation.run(200);
  }
  await swarm.until(() => seed.runtime.swarm(torrent.id).connected === 0);
  const { uploaded, connected } = seed.runtime.swarm(torrent.id);
  assert.ok(uploaded < 1_000_000, `${uploaded} bytes were put in buffers for it`);
  assert.equal(connected, 0);
  const { reason } = seed.events.find(({ event }) => event === "peer.closed")!.data;
  assert.match(String(reason), /does not read/);
});

Deno.test("a peer that rejects every request is asked once a second, and the honest go on", async () => {
  await unslowed(async ({ leech, host }) => {
    const peer = await ScriptedPeer.join(host, leech.address, torrent.id);
    peer.say((writer) => (writer.haveAll(), writer.unchoke()));
    const timer = (): void => {
      if (peer.closed) return;
      const asked = peer.requests.splice(0);
      if (asked.length > 0) peer.say((writer) => asked.forEach((request) => writer.reject(...request)));
      host.clock.after(1, timer);
    };
    timer();
    await later(host, 5_000);
    const count = peer.count("request");
    assert.ok(count < 40, `it was asked ${count} times`);
    peer.close();
  });
});

Deno.test("one that sends wrong bytes alone is banned at the first piece, and the honest seed finishes", async () => {
  await using swarm = new SimSwarm(13);
  const leech = await swarm.peer("leech");
  await swarm.add(leech, torrent);
  const host = swarm.simulation.host("poisoner");
  const peer = await swarm.simulation.complete(ScriptedPeer.join(host, leech.address, torrent.id));
  peer.answer = (_piece, _begin, length) => new Uint8Array(length).fill(1);
  peer.say((writer) => (writer.haveAll(), writer.unchoke()));
  await swarm.until(() => peer.closed);
  assert.ok(leech.log.some((line) => line.includes(`Banned ${host.ip}`)), leech.log.join("\n"));
  const again = await swarm.simulation.complete(ScriptedPeer.join(host, leech.address, torrent.id));
  assert.ok(again.closed, "it came back");
  const seed = await swarm.seed("seed", torrent);
  await swarm.simulation.complete(leech.runtime.addPeers(torrent.id, [seed.address]));
  await swarm.complete(leech, torrent);
  assert.ok(await sameFiles(swarm, leech, torrent));
});

for (const share of [1, 10]) {
  Deno.test(`one wrong block in ${share} from a peer among honest ones: it is banned, they are not, and all comes`, async () => {
    await using swarm = new SimSwarm(20 + share);
    const seeds = [];
    for (const name of ["a", "b", "c"]) {
      seeds.push(await swarm.seed(name, torrent, { profile: { limits: { up: "200 KB/s" } } }));
    }
    const leech = await swarm.peer("leech");
    await swarm.add(leech, torrent, { peers: seeds.map(({ address }) => address) });
    await swarm.simulation.run(500);
    const host = swarm.simulation.host("poisoner");
    const peer = await swarm.simulation.complete(ScriptedPeer.join(host, leech.address, torrent.id));
    let sent = 0;
    peer.answer = (piece, begin, length) => {
      const at = piece * 64 * 1024 + begin;
      return sent++ % share === 0 ? new Uint8Array(length).fill(1) : torrent.data.slice(at, at + length);
    };
    peer.say((writer) => (writer.haveAll(), writer.unchoke()));
    await swarm.complete(leech, torrent);
    assert.ok(await sameFiles(swarm, leech, torrent));
    const banned = leech.log.filter((line) => line.includes("Banned"));
    assert.ok(banned.some((line) => line.includes(host.ip)), `${sent} blocks were sent, ${banned}`);
    for (const { host: { ip } } of seeds) assert.ok(!banned.some((line) => line.includes(ip)), banned.join("\n"));
  });
}

Deno.test("a block that is half here when its piece turns out wrong leaves no hole in the next attempt", async () => {
  await using swarm = new SimSwarm(30);
  const small = makeTorrent({ length: 2 * BLOCK, pieceLength: 2 * BLOCK });
  const leech = await swarm.peer("leech");
  await swarm.add(leech, small);
  const join = async (name: string): Promise<ScriptedPeer> => {
    const host = swarm.simulation.host(name);
    const peer = await swarm.simulation.complete(ScriptedPeer.join(host, leech.address, small.id, { peerId: name }));
    peer.say((writer) => (writer.haveAll(), writer.unchoke()));
    await swarm.simulation.run(50);
    return peer;
  };
  // The first is asked for both blocks, and the second, in the endgame, too.
  const liar = await join("liar");
  const honest = await join("honest");
  const whole = (begin: number): Uint8Array => small.data.slice(begin, begin + BLOCK);
  assert.deepEqual([liar.requests.length, honest.requests.length], [2, 2]);
  // The honest one has sent half of the first block when the liar completes the piece with wrong bytes.
  honest.say((writer) => {
    writer.blockHeader(0, 0, BLOCK);
    writer.reserve(BLOCK / 2).set(whole(0).subarray(0, BLOCK / 2));
  });
  await swarm.simulation.run(50);
  for (const begin of [0, BLOCK]) liar.block(0, begin, new Uint8Array(BLOCK).fill(9));
  await swarm.until(() => leech.events.some(({ event }) => event === "piece.failed"));
  honest.requests.length = 0;
  honest.answer = (_piece, begin) => whole(begin);
  honest.raw(whole(0).subarray(BLOCK / 2));
  await swarm.complete(leech, small, 60_000);
  assert.ok(await sameFiles(swarm, leech, small));
});

function later(host: MemoryHost, milliseconds: number): Promise<void> {
  return new Promise((resolve) => void host.clock.after(milliseconds, resolve));
}
