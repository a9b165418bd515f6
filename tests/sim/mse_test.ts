import assert from "node:assert/strict";
import type { ByteStream, OpenedStream } from "../../core/api/mod.ts";
import { SeededRandom } from "../../core/host/memory/random.ts";
import { fromHex, parsePeerAddress } from "../../core/wire/mod.ts";
import { openDialed } from "../../plugins/mse/open.ts";
import { WriteBuffers } from "../../plugins/mse/write_buffers.ts";
import { handshakeBytes } from "../support/scripted_peer.ts";
import {
  makeTorrent,
  sameFiles,
  type SimPeer,
  type SimPeerOptions,
  SimSwarm,
  type SimTorrent,
} from "../support/sim_swarm.ts";

const torrent = makeTorrent({ length: 2_000_000 });

/** A profile whose entry of mse has this `with`; without one, no such entry. */
function encryption(mse?: Readonly<Record<string, unknown>>, more: Record<string, unknown> = {}): SimPeerOptions {
  return { profile: { plugins: [{ use: "tcp" }, ...(mse ? [{ use: "mse", with: mse }] : [])], ...more } };
}

const encryptions = (peer: SimPeer, of: SimTorrent = torrent): string[] =>
  peer.runtime.swarm(of.id).peers.map(({ encryption }) => encryption);

const quarantined = ({ runtime }: SimPeer): boolean =>
  runtime.snapshot().plugins.some(({ state }) => state === "quarantined");

/** Downloads from one to the other, and says how they were connected. */
async function transfer(
  [seeds, leeches]: readonly [SimPeerOptions, SimPeerOptions],
  of: SimTorrent = torrent,
): Promise<string[]> {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", of, seeds);
  const leech = await swarm.peer("leech", leeches);
  await swarm.add(leech, of, { peers: [seed.address] });
  let seen: string[] = [];
  await swarm.until(() => {
    const now = [...encryptions(leech, of), ...encryptions(seed, of)];
    if (now.length === 2) seen = now;
    return leech.runtime.swarm(of.id).state === "seeding";
  });
  assert.ok(await sameFiles(swarm, leech, of));
  for (const peer of [seed, leech]) assert.ok(!quarantined(peer));
  return seen;
}

Deno.test("a swarm that requires encryption downloads under RC4, a private one too", async () => {
  const required = encryption({ policy: "require" });
  assert.deepEqual(await transfer([required, required]), ["rc4", "rc4"]);
  const secret = makeTorrent({ length: 500_000, private: true });
  assert.deepEqual(await transfer([required, required], secret), ["rc4", "rc4"]);
});

Deno.test("encryption works over uTP, where there is no other transport, as it does over TCP", async () => {
  const overUtp = (mse: Readonly<Record<string, unknown>>): SimPeerOptions =>
    encryption(mse, { plugins: [{ use: "utp" }, { use: "mse", with: mse }] });
  const required = overUtp({ policy: "require" });
  assert.deepEqual(await transfer([required, required]), ["rc4", "rc4"]);
  assert.deepEqual(await transfer([overUtp({ policy: "allow" }), overUtp({})]), ["rc4", "rc4"]);
  const plaintext = overUtp({ policy: "require", ciphers: ["plaintext"] });
  assert.deepEqual(await transfer([overUtp({}), plaintext]), ["plaintext", "plaintext"]);
  const off = overUtp({ policy: "off" });
  assert.deepEqual(await transfer([off, overUtp({})]), ["none", "none"]);
});

Deno.test("a swarm may hide its handshakes alone", async () => {
  const plaintext = encryption({ policy: "require", ciphers: ["plaintext"] });
  assert.deepEqual(await transfer([plaintext, plaintext]), ["plaintext", "plaintext"]);
  assert.deepEqual(await transfer([plaintext, encryption({})]), ["plaintext", "plaintext"]);
});

Deno.test("who prefers encryption downloads from who knows nothing of it, and the other way around", async () => {
  assert.deepEqual(await transfer([encryption(), encryption({})]), ["none", "none"]);
  assert.deepEqual(await transfer([encryption({}), encryption()]), ["none", "none"]);
});

Deno.test("who requires encryption gets nothing from who does not encrypt, and gives it nothing", async () => {
  for (
    const [one, other] of [[encryption({ policy: "require" }), encryption()], [
      encryption(),
      encryption({ policy: "require" }),
    ]]
  ) {
    await using swarm = new SimSwarm(1);
    const seed = await swarm.seed("seed", torrent, one);
    const leech = await swarm.peer("leech", other);
    await swarm.add(leech, torrent, { peers: [seed.address] });
    await swarm.simulation.run(60_000);
    assert.equal(leech.runtime.swarm(torrent.id).done, 0);
    for (const peer of [seed, leech]) assert.ok(!quarantined(peer), "it is the peer's fault, not the plugin's");
  }
});

Deno.test("the swarm is found among many by what the dialer names", async () => {
  await using swarm = new SimSwarm(1);
  const required = encryption({ policy: "require" });
  const seed = await swarm.seed("seed", torrent, required);
  const others = Array.from({ length: 30 }, (_, k) => makeTorrent({ name: `other ${k}`, length: 20_000 + k }));
  for (const other of others) await swarm.add(seed, other);
  const leech = await swarm.peer("leech", required);
  await swarm.add(leech, torrent, { peers: [seed.address] });
  await swarm.complete(leech, torrent);
  assert.deepEqual(encryptions(seed), ["rc4"]);
});

/** Connects from a host of its own, under encryption that names the torrent. */
async function stranger(
  swarm: SimSwarm,
  name: string,
  to: SimPeer,
  of: SimTorrent,
): Promise<[ByteStream, OpenedStream]> {
  const host = swarm.simulation.host(name);
  const raw = await swarm.simulation.complete(host.net.connect(parsePeerAddress(to.address)));
  const opening = openDialed(
    raw,
    { infoHash: fromHex(of.id), ciphers: ["rc4"], random: new SeededRandom(name) },
    new WriteBuffers(),
    new AbortController().signal,
  );
  return [raw, await swarm.simulation.complete(opening)];
}

Deno.test("the handshake must name the swarm that the encryption named", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", torrent, encryption({}));
  const other = makeTorrent({ name: "other", length: 20_000 });
  await swarm.add(seed, other);
  const into = new Uint8Array(68);
  for (const [name, named, answered] of [["honest", torrent, true], ["liar", other, false]] as const) {
    const [, { stream }] = await stranger(swarm, name, seed, named);
    await swarm.simulation.complete(stream.write(handshakeBytes(torrent.id)));
    const answer = swarm.simulation.complete(stream.read(into)).catch(() => 0);
    assert.equal(await answer > 0, answered, name);
  }
});

Deno.test("strangers with garbage, half a handshake or nothing to say slow nobody down, and leave within 10 s", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", torrent, encryption({}, { limits: { up: "100 kB/s" } }));
  const leech = await swarm.peer("leech", encryption({}));
  await swarm.add(leech, torrent, { peers: [seed.address] });
  const random = new SeededRandom("strangers");
  const left: number[] = [];
  const began = swarm.simulation.now;
  for (let k = 0; k < 60; k++) {
    const host = swarm.simulation.host(`stranger ${k}`);
    const stream = await swarm.simulation.complete(host.net.connect(parsePeerAddress(seed.address)));
    const since = swarm.simulation.now;
    stream.write(random.bytes(random.below(1_500))).catch(() => {});
    const untilClosed = async (): Promise<void> => {
      const into = new Uint8Array(1_000);
      try {
        while (await stream.read(into) > 0);
      } catch { /* reset */ }
      left.push(swarm.simulation.now - since);
    };
    void untilClosed();
  }
  await swarm.complete(leech, torrent);
  assert.ok(swarm.simulation.now - began < 30_000);
  await swarm.until(() => left.length === 60, 20_000);
  assert.ok(Math.max(...left) < 11_000, `the last left after ${Math.max(...left)} ms`);
  assert.ok(!quarantined(seed));
  assert.ok(await sameFiles(swarm, leech, torrent));
});

Deno.test("a reload from plain to required encryption leaves who is connected, and encrypts with who comes", async () => {
  await using swarm = new SimSwarm(1);
  const seed = await swarm.seed("seed", torrent, encryption({ policy: "allow" }, { limits: { up: "50 kB/s" } }));
  const plain = await swarm.peer("plain", encryption({ policy: "allow" }));
  await swarm.add(plain, torrent, { peers: [seed.address] });
  await swarm.until(() => encryptions(seed).length === 1);
  await swarm.reload(seed, encryption({ policy: "require" }, { limits: { up: "50 kB/s" } }));
  const late = await swarm.peer("late", encryption({ policy: "prefer" }));
  await swarm.add(late, torrent, { peers: [seed.address] });
  await swarm.until(() => encryptions(seed).length === 2, 30_000);
  assert.deepEqual(encryptions(seed).sort(), ["none", "rc4"]);
});
