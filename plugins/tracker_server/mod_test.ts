import assert from "node:assert/strict";
import { decode, decodePeers4, peerAddress } from "weft";
import { type PluginBench, startPlugin } from "weft/testing";
import plugin from "./mod.ts";

const MINUTE = 60_000;

/** Asks the tracker over HTTP, from a host of its own. */
async function ask(
  bench: PluginBench,
  path: string,
  asker = bench.simulation.host(`asker ${path}`),
): Promise<Response> {
  const [ip] = bench.host.ips;
  const url = new URL(`http://${ip}:6969${path}`);
  return await bench.complete(asker.net.http({ url, connectTo: peerAddress(ip, 6969) }));
}

async function announce(bench: PluginBench, port: number): Promise<string[]> {
  const query = `info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-XX0001-${port}aaaaaaaa&port=${port}&left=1`;
  const answer = await (await ask(bench, `/announce?${query}`)).arrayBuffer();
  const peers = (decode(new Uint8Array(answer)) as Map<string, Uint8Array>).get("peers")!;
  return decodePeers4(peers).map(({ port }) => `${port}`).sort();
}

async function stats(bench: PluginBench): Promise<Record<string, unknown>> {
  return await (await ask(bench, "/stats")).json();
}

Deno.test("without any settings it is a tracker at port 6969, over HTTP and UDP", async () => {
  await using bench = await startPlugin(plugin, { with: {} });
  assert.deepEqual(await announce(bench, 1001), []);
  assert.deepEqual(await announce(bench, 1002), ["1001"]);

  const asker = bench.simulation.host("over UDP");
  const socket = await bench.complete(asker.net.datagrams({ ip: "0.0.0.0", port: 0 }));
  const request = Uint8Array.of(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4);
  const reply = bench.complete(socket.receive(new Uint8Array(100)));
  await socket.send(request, peerAddress(bench.host.ips[0], 6969));
  assert.deepEqual([...(await reply).bytes.subarray(0, 8)], [0, 0, 0, 0, 1, 2, 3, 4]);
  socket.close();

  const { peers, announces, http, udp } = await stats(bench);
  assert.deepEqual([peers, announces, http, udp], [
    2,
    2,
    { requests: 3, malformed: 0 },
    { datagrams: 1, connects: 1, ignored: 0, malformed: 0 },
  ]);
  assert.deepEqual(bench.failures, []);
});

Deno.test("askers on private networks are answered over UDP, although the guard lets nobody else name them", async () => {
  await using bench = await startPlugin(plugin, { with: {}, allow: [] });
  const asker = bench.simulation.host("at home", "192.168.1.7");
  const socket = await bench.complete(asker.net.datagrams({ ip: "0.0.0.0", port: 0 }));
  const reply = bench.complete(socket.receive(new Uint8Array(100)), 10_000);
  const request = Uint8Array.of(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4);
  await socket.send(request, peerAddress(bench.host.ips[0], 6969));
  assert.equal((await reply).bytes.length, 16);
  socket.close();
});

Deno.test("udp: false leaves UDP to others, and allow names the only torrents", async () => {
  const allow = ["A".repeat(40)];
  await using bench = await startPlugin(plugin, { with: { udp: false, allow } });
  (await bench.complete(bench.host.net.datagrams({ ip: "::", port: 6969 }))).close();
  await assert.rejects(startPlugin(plugin, { with: { allow: ["nonsense"] } }), /must be an info-hash of 40 hex digits/);
  assert.deepEqual((bench.config as { allow: unknown }).allow, ["a".repeat(40)]);
});

Deno.test("peers that announce no more are forgotten, although nobody asks", async () => {
  await using bench = await startPlugin(plugin, { with: {} });
  await announce(bench, 1001);
  await bench.simulation.run(67 * MINUTE);
  assert.equal((await stats(bench)).expired, 1);
});
