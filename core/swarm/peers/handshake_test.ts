import assert from "node:assert/strict";
import { acceptPeer, type ByteStream, dialPeer, type OpenedStream, type Transport, transports } from "../../api/mod.ts";
import { registerHandler, registerValue, type Registration } from "../../bus/mod.ts";
import { testOwner } from "../../bus/test_owner.ts";
import { createSimulation, type MemoryHost, type Simulation } from "../../host/memory/mod.ts";
import { encodeHandshake, InfoHash, peerAddress, torrentId } from "../../wire/mod.ts";
import { acceptAndShake, type ShakenPeer } from "./handshake.ts";
import { dialAndShake } from "./dial.ts";
import { testKernel } from "../test_kernel.ts";

const infoHash = InfoHash.parse("ab".repeat(20));
const id = torrentId({ v1: infoHash });
const peerId = (text: string): Uint8Array => new TextEncoder().encode(text.padEnd(20, "-"));

/** A transport over a memory host. */
function transport(host: MemoryHost, name: string): Registration {
  const value: Transport = {
    dial: (address, signal) => host.net.connect(address, { signal }),
    listen: () => Promise.reject(new Error("not here")),
  };
  return registerValue(testOwner(name), transports, name, value);
}

interface Bench {
  readonly simulation: Simulation;
  readonly us: MemoryHost;
  readonly them: MemoryHost;
  readonly to: { readonly address: ReturnType<typeof peerAddress>; readonly transport?: string };
  /** The next stream that reaches them. */
  accepted(): Promise<ByteStream>;
}

async function bench(): Promise<Bench> {
  const simulation = createSimulation({ seed: 1 });
  const us = simulation.host("us");
  const them = simulation.host("them");
  const listener = await simulation.complete(them.net.listen({ ip: "0.0.0.0", port: 6881 }));
  return { simulation, us, them, to: { address: peerAddress(them.ip, 6881) }, accepted: () => listener.accept() };
}

const own = { infoHash, peerId: peerId("us"), dht: false };

function dial(
  { us, to }: Bench,
  registrations: readonly Registration[],
  signal = new AbortController().signal,
): Promise<ShakenPeer> {
  return dialAndShake(testKernel(us, { registrations }), id, own, to, signal);
}

/** Their side: takes a stream, and answers with a handshake. */
async function answer(
  { accepted, them }: Bench,
  lookup = { own: () => ({ infoHash, peerId: peerId("them"), dht: false }), secretOf: () => undefined },
): Promise<ShakenPeer> {
  return await acceptAndShake(testKernel(them), "tcp", await accepted(), lookup, new AbortController().signal);
}

Deno.test("both sides shake hands and learn what the other is", async () => {
  const world = await bench();
  const shaken = Promise.all([dial(world, [transport(world.us, "tcp")]), answer(world)]);
  const [ours, theirs] = await world.simulation.complete(shaken);
  assert.deepEqual(ours.handshake.peerId, peerId("them"));
  assert.deepEqual(theirs.handshake.peerId, peerId("us"));
  assert.ok(ours.handshake.fast && ours.handshake.extended);
  assert.equal(ours.transport, "tcp");
  assert.equal(world.simulation.pendingTimers, 0);
});

Deno.test("a dial that nobody answers ends after 10 seconds, and so does a silent handshake", async () => {
  const world = await bench();
  const tcp = transport(world.us, "tcp");
  const nobody = { ...world, to: { address: peerAddress("9.9.9.9", 1) } };
  await assert.rejects(world.simulation.complete(dial(nobody, [tcp])), /no answer within 10 s/);
  assert.equal(world.simulation.now, 10_000);
  const silent = dial(world, [tcp]);
  await assert.rejects(world.simulation.complete(silent), /nothing complete within 10 s/);
  assert.ok(world.simulation.now < 20_100);
});

Deno.test("a peer that answers for another swarm is refused, and its stream closed", async () => {
  const world = await bench();
  const other = InfoHash.parse("cd".repeat(20));
  const dialing = dial(world, [transport(world.us, "tcp")]);
  const stream = await world.simulation.complete(world.accepted());
  const reserved = { extended: true, fast: true, dht: false };
  void stream.write(encodeHandshake({ infoHash: other, peerId: peerId("x"), reserved }));
  await assert.rejects(world.simulation.complete(dialing), /info-hash must be abab.* the peer said cdcd/);
  await world.simulation.complete(stream.read(new Uint8Array(68)));
  const rest = await world.simulation.complete(stream.read(new Uint8Array(1)).catch(() => 0));
  assert.equal(rest, 0);
});

Deno.test("what is accepted is wrapped by acceptPeer, whose swarm must be the handshake's", async () => {
  const world = await bench();
  const wraps = (wireId: string): Registration =>
    registerHandler(
      testOwner("mse"),
      acceptPeer,
      async (request, next) => ({ ...await next(request), encryption: "rc4", wireId }),
    );
  const accept = async (wireId: string): Promise<ShakenPeer> =>
    await acceptAndShake(
      testKernel(world.them, { registrations: [wraps(wireId)] }),
      "tcp",
      await world.accepted(),
      { own: () => ({ infoHash, peerId: peerId("them"), dht: false }), secretOf: () => undefined },
      new AbortController().signal,
    );
  const tcp = transport(world.us, "tcp");
  const [, theirs] = await world.simulation.complete(Promise.all([dial(world, [tcp]), accept(infoHash.hex)]));
  assert.equal(theirs.encryption, "rc4");
  dial(world, [tcp]).catch(() => {});
  await assert.rejects(world.simulation.complete(accept("cd".repeat(20))), /named another swarm/);
});

Deno.test("a wrap that refuses the dial leaves no stream open", async () => {
  const world = await bench();
  const strict = registerHandler(testOwner("mse"), dialPeer, async (request, next): Promise<OpenedStream> => {
    await next(request);
    throw new Error("it does not encrypt");
  });
  const dialing = dial(world, [transport(world.us, "tcp"), strict]);
  const stream = world.accepted();
  await assert.rejects(world.simulation.complete(dialing), /does not encrypt/);
  const accepted = await world.simulation.complete(stream);
  assert.equal(await world.simulation.complete(accepted.read(new Uint8Array(1)).catch(() => 0)), 0);
});

Deno.test("an unknown swarm is not answered", async () => {
  const world = await bench();
  const dialing = dial(world, [transport(world.us, "tcp")]);
  dialing.catch(() => {});
  const accepting = answer(world, { own: () => undefined as never, secretOf: () => undefined });
  await assert.rejects(world.simulation.complete(accepting), /no swarm abab/);
  await assert.rejects(world.simulation.complete(dialing), /closed after 0 bytes|reset/);
});
