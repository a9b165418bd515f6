import assert from "node:assert/strict";
import { wireExtensions } from "../../core/api/mod.ts";
import { encodeExtendedHandshake, encodePeers4, parsePeerAddress, peerAddress } from "../../core/wire/mod.ts";
import { decodePex, encodePex, PexFlag } from "../../plugins/pex/codec.ts";
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
