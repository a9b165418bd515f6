import assert from "node:assert/strict";
import { type ByteStream, type PeerAddress, peerAddress, type Transport, type UdpPort } from "weft";
import { createSimulation, type MemoryHost, type Simulation } from "../../core/host/memory/mod.ts";
import { SharedUdp } from "../../core/net/udp_port.ts";
import { utpTransport } from "./mod.ts";

const AT = { ip: "0.0.0.0", port: 6881 };

/** The UDP port of a host, and generations of the plugin on it. */
function port({ net, clock, random }: MemoryHost, refused: (to: PeerAddress) => string | undefined = () => undefined) {
  const failed = (error: unknown): never => {
    throw error;
  };
  const shared = new SharedUdp({ net, turn: () => clock.turn(), failed, lost: failed });
  const generation = (): { transport: Transport; udp: UdpPort } => {
    const udp = shared.for({ name: "utp", live: true, seesPrivate: true, failed }, {
      with: () => ({ check: refused }),
    });
    const hold = (): Disposable => ({ [Symbol.dispose]() {} });
    return { udp, transport: utpTransport({ clock, random, udp, net, hold, defer: () => {} }) };
  };
  return { shared, generation };
}

const signal = (): AbortSignal => new AbortController().signal;

/** A generation with one connection, and the one that took its place. */
async function replaced(simulation: Simulation) {
  const [here, there] = [simulation.host("here"), simulation.host("there")];
  const [ours, theirs] = [port(here), port(there)];
  const { transport: old } = ours.generation();
  const { transport: dialer } = theirs.generation();
  for (const { shared } of [ours, theirs]) (await simulation.complete(shared.stage([AT]))).commit();
  const accepted: Record<string, ByteStream[]> = { old: [], young: [] };
  const to = peerAddress(here.ip, AT.port);
  const listener = await simulation.complete(old.listen(AT, (stream) => void accepted.old.push(stream)));
  const first = await simulation.complete(dialer.dial(to, signal()));
  await simulation.run(100);
  const { transport: young } = ours.generation();
  await simulation.complete(young.listen(AT, (stream) => void accepted.young.push(stream)));
  listener.close();
  return { dialer, to, first, accepted };
}

Deno.test("connections of a generation that was replaced go on, and new ones go to the new one", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { dialer, to, first, accepted } = await replaced(simulation);
  const second = await simulation.complete(dialer.dial(to, signal()));
  await simulation.run(100);
  assert.deepEqual([accepted.old.length, accepted.young.length], [1, 1]);
  for (const [from, at] of [[first, accepted.old[0]], [second, accepted.young[0]]]) {
    await simulation.complete(from.write(Uint8Array.of(1, 2, 3)));
    assert.equal(await simulation.complete(at.read(new Uint8Array(10))), 3);
  }
});

Deno.test("the new generation takes nothing of an old one's connections, though some look like the first of a new one", async () => {
  // Any packet of another generation's looks so with a chance of 1 in 8,192: with this seed one of the first does.
  using simulation = createSimulation({ seed: 1 });
  const { first: from, accepted } = await replaced(simulation);

  const chunk = new Uint8Array(64 * 1024);
  const write = async (): Promise<void> => {
    for (let written = 0; written < 5_000_000; written += chunk.length) await from.write(chunk);
    await from.closeWrite();
  };
  const read = async (): Promise<void> => {
    const into = new Uint8Array(chunk.length);
    while (await accepted.old[0].read(into) > 0);
  };
  await simulation.complete(Promise.all([write(), read()]));
  assert.deepEqual([accepted.old.length, accepted.young.length], [1, 0]);
});

Deno.test("an address that the guard refuses is not dialed, and one that dialed us is answered at any time", async () => {
  using simulation = createSimulation({ seed: 1 });
  const [here, there] = [simulation.host("here"), simulation.host("there")];
  const [ours, theirs] = [port(here, () => "not there"), port(there)];
  const { transport } = ours.generation();
  const { transport: dialer } = theirs.generation();
  for (const { shared } of [ours, theirs]) (await simulation.complete(shared.stage([AT]))).commit();
  const accepted: ByteStream[] = [];
  await simulation.complete(transport.listen(AT, (stream) => void accepted.push(stream)));
  await assert.rejects(
    simulation.complete(transport.dial(peerAddress(there.ip, 6881), signal())),
    /egress\.allow does not list it/,
  );
  const stream = await simulation.complete(dialer.dial(peerAddress(here.ip, AT.port), signal()));
  await simulation.run(1_000);
  await simulation.complete(accepted[0].write(Uint8Array.of(1, 2)));
  assert.equal(await simulation.complete(stream.read(new Uint8Array(9))), 2);
});

Deno.test("the listener's address is the shared port's, once that is bound", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { shared, generation } = port(simulation.host("here"));
  const { transport, udp } = generation();
  const listener = await simulation.complete(transport.listen({ ip: "0.0.0.0", port: 0 }, () => {}));
  assert.equal(listener.address.port, 0);
  (await simulation.complete(shared.stage([AT]))).commit();
  assert.equal(listener.address.port, udp.addresses[0].port);
});
