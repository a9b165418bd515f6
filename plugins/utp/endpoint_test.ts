import assert from "node:assert/strict";
import { type ByteStream, type PeerAddress, peerAddress } from "weft";
import { createSimulation, type Simulation } from "../../core/host/memory/mod.ts";
import { Endpoint } from "./endpoint.ts";
import { HEADER_LENGTH, PacketType, readPacket, writeHeader } from "./packet.ts";

const US = peerAddress("192.0.2.1", 6881);
const THEM = peerAddress("192.0.2.2", 6881);

/** Endpoints whose datagrams arrive after 10 ms, unless `lose` says otherwise. */
class World implements Disposable {
  readonly simulation: Simulation = createSimulation({ seed: 1 });
  readonly sent: { readonly bytes: Uint8Array; readonly to: PeerAddress }[] = [];
  readonly #endpoints = new Map<string, Endpoint>();
  holds = 0;
  lose: (bytes: Uint8Array) => boolean = () => false;

  endpoint(address: PeerAddress): Endpoint {
    const { clock, random } = this.simulation;
    const endpoint = new Endpoint({
      clock,
      random,
      udp: {
        pending: 0,
        open: (to) => ({ to, send: (bytes) => this.#send(bytes.slice(), address, to) }),
      },
      local: () => address,
      hold: () => {
        this.holds++;
        return { [Symbol.dispose]: () => void this.holds-- };
      },
    });
    this.#endpoints.set(address.key, endpoint);
    return endpoint;
  }

  async pair(): Promise<{ ends: Endpoint[]; streams: ByteStream[] }> {
    const ends = [this.endpoint(US), this.endpoint(THEM)];
    const accepted: ByteStream[] = [];
    ends[1].listen((stream) => void accepted.push(stream));
    const dialed = await this.simulation.complete(ends[0].dial(THEM, new AbortController().signal));
    await this.simulation.run(100);
    return { ends, streams: [dialed, accepted[0]] };
  }

  [Symbol.dispose](): void {
    this.simulation[Symbol.dispose]();
  }

  #send(bytes: Uint8Array, from: PeerAddress, to: PeerAddress): boolean {
    this.sent.push({ bytes, to });
    if (!this.lose(bytes)) {
      this.simulation.clock.after(10, () => void this.#endpoints.get(to.key)?.take(bytes, from));
    }
    return true;
  }
}

function packet(type: number, id: number, seq: number, ack = 0, length = HEADER_LENGTH): Uint8Array {
  const bytes = new Uint8Array(length);
  writeHeader(bytes, { type, id, timestamp: 1, difference: 0, window: 100_000, seq, ack });
  return bytes;
}

Deno.test("a flood of SYNs is answered with 20 bytes each, a thousand a second, and leaves nothing", () => {
  using world = new World();
  const endpoint = world.endpoint(US);
  endpoint.listen(() => assert.fail("nobody has proven anything"));
  for (let i = 0; i < 100_000; i++) {
    const from = peerAddress(`198.51.${i >> 8 & 255}.${i & 255}`, 1 + i % 65_535);
    assert.ok(endpoint.take(packet(PacketType.syn, i & 0xffff, 1, 0, 1_400), from));
  }
  assert.equal(world.sent.length, 1_000);
  assert.ok(world.sent.every(({ bytes }) => bytes.length === HEADER_LENGTH));
  assert.deepEqual([endpoint.size, world.holds, world.simulation.pendingTimers <= 1_000], [0, 0, true]);
});

Deno.test("one host's flood of SYNs leaves answers for the others", () => {
  using world = new World();
  const endpoint = world.endpoint(US);
  endpoint.listen(() => {});
  for (let i = 0; i < 10_000; i++) {
    endpoint.take(packet(PacketType.syn, i & 0xffff, 1), peerAddress("198.51.100.1", 1 + i));
    endpoint.take(packet(PacketType.syn, i & 0xffff, 1), peerAddress(`2001:db8:1:2::${i.toString(16)}`, 6881));
  }
  assert.equal(world.sent.length, 100);
  endpoint.take(packet(PacketType.syn, 7, 1), THEM);
  assert.equal(world.sent.at(-1)!.to, THEM);
});

Deno.test("who answers with a number that we didn't send is no peer, and hears nothing", () => {
  using world = new World();
  const endpoint = world.endpoint(US);
  endpoint.listen(() => {});
  endpoint.take(packet(PacketType.syn, 7, 100), THEM);
  const { seq, id } = readPacket(world.sent.pop()!.bytes)!;
  assert.equal(id, 7);
  for (const [type, at, ack] of [[0, 101, seq], [2, 101, seq + 5], [0, 99, seq - 1], [1, 101, seq + 1]] as const) {
    assert.equal(endpoint.take(packet(type, 8, at, ack & 0xffff), THEM), false);
  }
  assert.equal(endpoint.take(packet(PacketType.data, 8, 101, seq - 1 & 0xffff), US), false, "another address");
  assert.deepEqual([world.sent.length, endpoint.size], [0, 0]);
  assert.ok(endpoint.take(packet(PacketType.data, 8, 101, seq - 1 & 0xffff, 21), THEM));
  assert.equal(endpoint.size, 1);
});

Deno.test("nothing is said to packets of connections that nobody here knows: an older generation may", () => {
  using world = new World();
  const endpoint = world.endpoint(US);
  endpoint.listen(() => {});
  for (const type of Object.values(PacketType).filter((type) => type !== PacketType.syn)) {
    assert.equal(endpoint.take(packet(type, 9, 1), THEM), false);
  }
  assert.equal(world.sent.length, 0);
});

Deno.test("a dialer whose first packets are lost gets through all the same", async () => {
  using world = new World();
  let lost = 0;
  world.lose = () => lost++ < 3;
  const { streams: [a, b] } = await world.pair();
  const { simulation } = world;
  await simulation.complete(a.write(Uint8Array.of(1)));
  assert.equal(await simulation.complete(b.read(new Uint8Array(1))), 1);
});

Deno.test("a reset ends a connection, with either of its ids, unless its address or id is another one", async () => {
  using world = new World();
  const { ends: [endpoint], streams: [a] } = await world.pair();
  const { id } = readPacket(world.sent.findLast(({ to }) => to === US)!.bytes)!;
  const reading = a.read(new Uint8Array(1));
  reading.catch(() => {});
  endpoint.take(packet(PacketType.reset, id, 1), peerAddress("192.0.2.3", 6881));
  endpoint.take(packet(PacketType.reset, id + 3 & 0xffff, 1), THEM);
  assert.equal(endpoint.size, 1);
  endpoint.take(packet(PacketType.reset, id + 1 & 0xffff, 1), THEM);
  await assert.rejects(world.simulation.complete(reading), /reset by peer/);
  assert.equal(endpoint.size, 0);
});

Deno.test("what was written before close() arrives, and then both ends are gone", async () => {
  using world = new World();
  const { ends, streams: [a, b] } = await world.pair();
  const { simulation } = world;
  const bytes = new Uint8Array(100_000).fill(7);
  const writing = a.write(bytes).then(() => a.close());
  let got = 0;
  const into = new Uint8Array(10_000);
  for (let count = -1; count !== 0; got += count) count = await simulation.complete(b.read(into));
  await writing;
  assert.equal(got, bytes.length);
  b.close();
  await simulation.run(10_000);
  assert.deepEqual([ends[0].size, ends[1].size, world.holds, simulation.pendingTimers], [0, 0, 0, 0]);
});

Deno.test("a writer hears soon that the other side has closed for good", async () => {
  using world = new World();
  const { streams: [a, b] } = await world.pair();
  b.close();
  const write = async (): Promise<void> => {
    for (;;) await a.write(new Uint8Array(10_000));
  };
  await assert.rejects(world.simulation.complete(write(), { limitMs: 10_000 }), /reset by peer/);
});

Deno.test("a peer that falls silent is given up", async () => {
  using world = new World();
  const { ends: [endpoint], streams: [a] } = await world.pair();
  world.lose = () => true;
  const began = world.simulation.now;
  const write = async (): Promise<void> => {
    for (;;) await a.write(new Uint8Array(10_000));
  };
  await assert.rejects(world.simulation.complete(write()), /timed out/);
  assert.ok(world.simulation.now - began < 120_000);
  assert.equal(endpoint.size, 0);
});

Deno.test("connection ids and first numbers can't be foretold", async () => {
  using world = new World();
  const endpoint = world.endpoint(US);
  const abort = new AbortController();
  for (let i = 0; i < 50; i++) endpoint.dial(THEM, abort.signal).catch(() => {});
  const syns = world.sent.map(({ bytes }) => readPacket(bytes)!);
  assert.ok(new Set(syns.map(({ id }) => id)).size >= 49);
  assert.ok(new Set(syns.map(({ seq }) => seq)).size >= 48);
  abort.abort(new Error("enough"));
  await world.simulation.run(1);
  assert.deepEqual([endpoint.size, world.simulation.pendingTimers <= 50], [0, true]);
});

/** Has somebody at `from` connect, and say one byte, which it never says anything after. */
function connect(world: World, endpoint: Endpoint, from: PeerAddress, id: number): void {
  endpoint.take(packet(PacketType.syn, id, 1), from);
  const { seq } = readPacket(world.sent.pop()!.bytes)!;
  endpoint.take(packet(PacketType.data, id + 1 & 0xffff, 2, seq - 1 & 0xffff, HEADER_LENGTH + 1), from);
}

Deno.test("one host has 500 connections at most", async () => {
  using world = new World();
  const endpoint = world.endpoint(US);
  endpoint.listen(() => {});
  for (let second = 0; second < 12; second++) {
    for (let i = 0; i < 50; i++) connect(world, endpoint, THEM, 50 * second + i);
    await world.simulation.run(1_000);
  }
  assert.equal(endpoint.size, 500);
});

Deno.test("connections that were refused keep nobody out", async () => {
  using world = new World();
  const { simulation } = world;
  const endpoint = world.endpoint(US);
  const accepted: string[] = [];
  endpoint.listen((stream) => {
    accepted.push(stream.remote.ip);
    if (stream.remote.ip !== THEM.ip) stream.close();
  });
  const hosts = Array.from({ length: 9 }, (_, i) => peerAddress(`198.51.100.${i + 1}`, 6881));
  for (let second = 0; second < 12; second++) {
    for (const from of hosts) for (let i = 0; i < 50; i++) connect(world, endpoint, from, 50 * second + i);
    await simulation.run(1_000);
    assert.ok(endpoint.size <= 4_000);
  }
  for (const { ip } of hosts) assert.ok(accepted.filter((each) => each === ip).length >= 500);
  assert.equal(endpoint.size, 4_000);
  connect(world, endpoint, THEM, 7);
  assert.equal(accepted.at(-1), THEM.ip);
  endpoint.dial(THEM, new AbortController().signal).catch(() => {});
  assert.equal(endpoint.size, 4_000);
  await simulation.run(60_000);
  assert.equal(endpoint.size, 1);
  const before = accepted.length;
  connect(world, endpoint, hosts[0], 1);
  assert.equal(accepted.length, before + 1);
});

Deno.test("who guesses what to acknowledge is cut off: it does not see what we send, and perhaps is not where it says", async () => {
  using world = new World();
  const { simulation } = world;
  const endpoint = world.endpoint(US);
  endpoint.listen((stream) => {
    const write = async (): Promise<void> => {
      for (;;) await stream.write(new Uint8Array(100_000));
    };
    write().catch(() => {});
  });
  connect(world, endpoint, THEM, 7);
  let [spent, got] = [0, 0];
  // As many guesses as there are numbers, twice over, faster than anything is sent again.
  for (let i = 0; i < 2 * 0x10000; i += 3) {
    endpoint.take(packet(PacketType.state, 8, 3, i & 0xffff), THEM);
    spent += HEADER_LENGTH;
    if (i % 999 === 0) await simulation.run(10);
    for (const { bytes } of world.sent.splice(0)) got += bytes.length;
  }
  assert.ok(got < spent, `${got} bytes were sent to it for ${spent}`);
  assert.equal(endpoint.size, 0);
});
