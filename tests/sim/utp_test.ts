import assert from "node:assert/strict";
import { type ByteStream, peerAddress, type Transport } from "weft";
import {
  createSimulation,
  type Link,
  type LinkOptions,
  type MemoryHost,
  type Simulation,
} from "../../core/host/memory/mod.ts";
import { SharedUdp } from "../../core/net/udp_port.ts";
import { utpTransport } from "../../plugins/utp/mod.ts";

const PORT = 6881;
const CHUNK = 64 * 1024;
// Bytes of data in a packet that fills an Ethernet frame.
const MSS = 1_452;

/** Bytes that came to a reader so far. */
interface Flow {
  readonly bytes: number;
  /** Bytes a second while `seconds` pass. */
  rate(seconds: number): Promise<number>;
}

/** Writes to `from` without end, and reads `to` at once. */
function follow(simulation: Simulation, from: ByteStream, to: ByteStream): Flow {
  let bytes = 0;
  const write = async (): Promise<void> => {
    const chunk = new Uint8Array(CHUNK);
    for (;;) await from.write(chunk);
  };
  const read = async (): Promise<void> => {
    const into = new Uint8Array(CHUNK);
    for (;;) bytes += await to.read(into);
  };
  write().catch(() => {});
  read().catch(() => {});
  return {
    get bytes() {
      return bytes;
    },
    async rate(seconds) {
      const before = bytes;
      await simulation.run(seconds * 1000);
      return (bytes - before) / seconds;
    },
  };
}

/** uTP on a host, over a UDP port as the runtime has it. */
async function transport(simulation: Simulation, { net, clock, random }: MemoryHost): Promise<Transport> {
  const failed = (error: unknown): never => {
    throw error;
  };
  const shared = new SharedUdp({ net, turn: () => clock.turn(), failed, lost: failed });
  const udp = shared.for({ name: "utp", live: true, seesPrivate: true, failed }, {
    with: () => ({ check: () => undefined }),
  });
  const hold = (): Disposable => ({ [Symbol.dispose]() {} });
  const made = utpTransport({ clock, random, udp, net, hold, defer: () => {} });
  (await simulation.complete(shared.stage([{ ip: "0.0.0.0", port: PORT }]))).commit();
  return made;
}

/** A sink behind a link of its own, and uTP flows to it from hosts of their own. */
async function world(down: LinkOptions, seed = 1) {
  const simulation = createSimulation({ seed });
  const sink = simulation.host("sink");
  const back: LinkOptions = { latency: down.latency, loss: down.loss };
  const link = simulation.network.access(sink, { down, up: back }).down as Link;
  const accepted = new Map<string, ByteStream>();
  const listening = await transport(simulation, sink);
  const at = { ip: "0.0.0.0", port: PORT };
  await simulation.complete(listening.listen(at, (stream) => void accepted.set(stream.remote.ip, stream)));
  const join = async (name: string): Promise<Flow> => {
    const host = simulation.host(name);
    const dialing = await transport(simulation, host);
    const to = peerAddress(sink.ip, PORT);
    const from = await simulation.complete(dialing.dial(to, new AbortController().signal));
    await simulation.run(10 + 2 * (down.latency ?? 0));
    return follow(simulation, from, accepted.get(host.ip)!);
  };
  return { simulation, sink, link, join };
}

async function overTcp(simulation: Simulation, from: MemoryHost, to: MemoryHost): Promise<Flow> {
  const listener = await simulation.complete(to.net.listen({ ip: "0.0.0.0", port: PORT }));
  const accepting = listener.accept();
  const stream = await simulation.complete(from.net.connect(peerAddress(to.ip, PORT)));
  return follow(simulation, stream, await simulation.complete(accepting));
}

Deno.test("uTP fills at least 80% of what Reno's formula allows with 50 ms of delay and 1% loss", async () => {
  for (const seed of [1, 2, 3]) {
    const { join } = await world({ latency: 25, loss: 0.01 }, seed);
    const rate = await (await join("a")).rate(60);
    const allowed = 1.22 * MSS / (0.05 * Math.sqrt(0.01));
    assert.ok(rate >= 0.8 * allowed, `${rate.toFixed(0)} B/s of ${allowed.toFixed(0)} with seed ${seed}`);
  }
});

Deno.test("uTP fills a link, and adds less than 100 ms to its queue", async () => {
  for (const bandwidth of [125_000, 1_000_000, 5_000_000]) {
    const { link, join } = await world({ latency: 25, bandwidth, queue: bandwidth });
    const rate = await (await join("a")).rate(60);
    const { longestWait, dropped } = link.counts;
    assert.ok(longestWait < 100, `a packet waited ${longestWait.toFixed(0)} ms at ${bandwidth} B/s`);
    assert.equal(dropped, 0);
    assert.ok(rate > 0.85 * bandwidth, `${rate.toFixed(0)} of ${bandwidth} B/s`);
  }
});

Deno.test("two uTP flows that start together share a link within 30% over a minute", async () => {
  for (const seed of [1, 2, 3]) {
    const { join } = await world({ latency: 25, bandwidth: 1_000_000, queue: 1_000_000 }, seed);
    const [one, two] = [await join("a"), await join("b")];
    await one.rate(60);
    const shares = [one.bytes, two.bytes];
    assert.ok(Math.max(...shares) <= 1.3 * Math.min(...shares), `${shares} bytes with seed ${seed}`);
  }
});

Deno.test("uTP makes way for TCP", async () => {
  const bandwidth = 1_000_000;
  const link = { latency: 25, bandwidth, queue: 300_000 };
  const empty = await world(link);
  const undisturbed = await overTcp(empty.simulation, empty.simulation.host("tcp"), empty.sink);
  await undisturbed.rate(20);
  const alone = await undisturbed.rate(40);
  const { simulation, sink, join } = await world(link);
  const flow = await join("a");
  await flow.rate(20);
  const tcp = await overTcp(simulation, simulation.host("tcp"), sink);
  await flow.rate(20);
  const [before, rate] = [tcp.bytes, await flow.rate(40)];
  const other = (tcp.bytes - before) / 40;
  assert.ok(rate < 0.15 * bandwidth, `uTP took ${rate.toFixed(0)} B/s`);
  assert.ok(other > 0.9 * alone, `TCP got ${other.toFixed(0)} B/s, and ${alone.toFixed(0)} alone`);
});
