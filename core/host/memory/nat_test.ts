import assert from "node:assert/strict";
import type { DatagramSocket } from "../../api/host.ts";
import { type PeerAddress, peerAddress } from "../../wire/mod.ts";
import type { MemoryHost } from "./host.ts";
import { createSimulation, type Simulation } from "./simulation.ts";

/** A UDP socket and everything that reaches it: `first byte from address`. */
async function socket(simulation: Simulation, host: MemoryHost, port: number): Promise<[DatagramSocket, string[]]> {
  const bound = await simulation.complete(host.net.datagrams({ ip: "0.0.0.0", port }));
  const got: string[] = [];
  const receive = async (): Promise<void> => {
    for (;;) {
      const { bytes, from } = await bound.receive(new Uint8Array(10));
      got.push(`${bytes[0]} from ${from.key}`);
    }
  };
  void receive();
  return [bound, got];
}

async function send(simulation: Simulation, from: DatagramSocket, to: PeerAddress, byte: number): Promise<void> {
  await from.send(Uint8Array.of(byte), to);
  await simulation.run(10);
}

Deno.test("a router lets in answers alone: from the address and port that was written to, for a minute", async () => {
  using simulation = createSimulation({ seed: 1 });
  const [hidden, open] = [simulation.host("hidden"), simulation.host("open")];
  simulation.network.nat(hidden);
  const [inside, got] = await socket(simulation, hidden, 1);
  const [outside] = await socket(simulation, open, 2);
  const [other] = await socket(simulation, open, 3);
  const to = peerAddress(hidden.ip, 1);
  await send(simulation, outside, to, 10);
  assert.deepEqual(got, []);
  await send(simulation, inside, peerAddress(open.ip, 2), 11);
  await send(simulation, outside, to, 12);
  await send(simulation, other, to, 13);
  assert.deepEqual(got, [`12 from ${open.ip}:2`]);
  await simulation.run(60_000);
  await send(simulation, outside, to, 14);
  assert.equal(got.length, 1);
});

Deno.test("a router may show another port outside, the same to everybody", async () => {
  using simulation = createSimulation({ seed: 1 });
  const [hidden, a, b] = ["hidden", "a", "b"].map((name) => simulation.host(name));
  simulation.network.nat(hidden, { ports: "changed" });
  const [inside, got] = await socket(simulation, hidden, 1);
  const [answering, gotA] = await socket(simulation, a, 2);
  const [, gotB] = await socket(simulation, b, 2);
  await send(simulation, inside, peerAddress(a.ip, 2), 10);
  await send(simulation, inside, peerAddress(b.ip, 2), 11);
  assert.deepEqual([gotA, gotB], [[`10 from ${hidden.ip}:40000`], [`11 from ${hidden.ip}:40000`]]);
  await send(simulation, answering, peerAddress(hidden.ip, 40_000), 12);
  await send(simulation, answering, peerAddress(hidden.ip, 1), 13);
  assert.deepEqual(got, [`12 from ${a.ip}:2`]);
});

Deno.test("nobody connects to a host behind a router but itself, and it connects to everybody", async () => {
  using simulation = createSimulation({ seed: 1 });
  const [hidden, open] = [simulation.host("hidden"), simulation.host("open")];
  const nat = simulation.network.nat(hidden);
  for (const host of [hidden, open]) await simulation.complete(host.net.listen({ ip: "0.0.0.0", port: 1 }));
  await simulation.complete(hidden.net.connect(peerAddress(open.ip, 1)));
  await simulation.complete(hidden.net.connect(peerAddress(hidden.ip, 1)));
  const reaching = open.net.connect(peerAddress(hidden.ip, 1));
  await assert.rejects(simulation.complete(reaching), /timed out/);
  nat[Symbol.dispose]();
  await simulation.complete(open.net.connect(peerAddress(hidden.ip, 1)));
});
