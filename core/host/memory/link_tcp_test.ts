import assert from "node:assert/strict";
import fc from "fast-check";
import { type ByteStream, NetError } from "../../api/host.ts";
import { peerAddress } from "../../wire/mod.ts";
import { createSimulation, type LinkOptions, type MemoryHost, type Simulation } from "./mod.ts";

const MSS = 1_460;

async function connect(simulation: Simulation, from: MemoryHost, to: MemoryHost, port = 6881) {
  const listener = await simulation.complete(to.net.listen({ ip: "::", port }));
  const accepting = listener.accept();
  const client = await simulation.complete(from.net.connect(peerAddress(to.ip, port)));
  return { client, server: await simulation.complete(accepting) };
}

async function linked(options: LinkOptions, seed = 1) {
  const simulation = createSimulation({ seed });
  const [a, b] = [simulation.host("a"), simulation.host("b")];
  const link = simulation.network.connect(a, b, options);
  return { simulation, a, b, link, ...await connect(simulation, a, b) };
}

/** Writes without end; the result counts what the other side read. */
function pump(from: ByteStream, to: ByteStream): { bytes: number } {
  const got = { bytes: 0 };
  const write = async () => {
    const chunk = new Uint8Array(16_384);
    for (;;) await from.write(chunk);
  };
  const read = async () => {
    const into = new Uint8Array(65_536);
    for (;;) got.bytes += await to.read(into);
  };
  write().catch(() => {});
  read().catch(() => {});
  return got;
}

/** Bytes a second that a flow carries in `seconds`, after some that let it find its pace. */
async function rate(simulation: Simulation, flows: readonly { bytes: number }[], seconds: number, warmUp = 10) {
  await simulation.run(warmUp * 1_000);
  const before = flows.map(({ bytes }) => bytes);
  await simulation.run(seconds * 1_000);
  return flows.map(({ bytes }, i) => (bytes - before[i]) / seconds);
}

Deno.test("a stream over links delivers what was written, in order, whatever they do", async () => {
  const options = fc.record({
    latency: fc.integer({ min: 0, max: 80 }),
    jitter: fc.integer({ min: 0, max: 40 }),
    loss: fc.constantFrom(0, 0.01, 0.1, 0.3),
    reorder: fc.constantFrom(0, 0.2),
    reorderBy: fc.integer({ min: 0, max: 100 }),
    duplicate: fc.constantFrom(0, 0.2),
    bandwidth: fc.constantFrom(Infinity, 1e6, 20_000),
    queue: fc.constantFrom(0, 3_000, 64_000),
    mtu: fc.constantFrom(68, 576, 1_500),
  });
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(chunks, options, fc.integer(), fc.boolean(), async (sent, options, seed, late) => {
      using simulation = createSimulation({ seed });
      const [a, b] = [simulation.host("a"), simulation.host("b")];
      if (!late) simulation.network.connect(a, b, options);
      const { client, server } = await connect(simulation, a, b);
      const write = async () => {
        for (const [i, chunk] of sent.entries()) {
          if (late && i === 3) simulation.network.connect(a, b, options);
          await client.write(chunk);
        }
        await client.closeWrite();
      };
      const got: number[] = [];
      const read = async () => {
        const into = new Uint8Array(1_000);
        for (let n = await server.read(into); n > 0; n = await server.read(into)) got.push(...into.subarray(0, n));
      };
      await simulation.complete(Promise.all([write(), read()]));
      assert.deepEqual(got, sent.flatMap((chunk) => [...chunk]));
    }),
    { numRuns: 60 },
  );
});

Deno.test("what is written arrives after the latency, and a lost segment costs a timeout", async () => {
  const { simulation, client, server, link } = await linked({ latency: 50 });
  const began = simulation.now;
  const read = () => simulation.complete(server.read(new Uint8Array(9)));
  await client.write(Uint8Array.of(1));
  await read();
  assert.equal(simulation.now - began, 50);
  await simulation.run(1_000);
  link.there.set({ latency: 50, loss: 1 });
  const lostAt = simulation.now;
  await client.write(Uint8Array.of(2));
  link.there.set({ latency: 50 });
  await read();
  const late = simulation.now - lostAt - 50;
  assert.ok(late >= 200 && late <= 300, `${late}`);
});

Deno.test("a stream fills a link's bandwidth, less its headers", async () => {
  for (const bandwidth of [100_000, 1_250_000]) {
    const { simulation, client, server, link } = await linked({ latency: 20, bandwidth, queue: 64_000 });
    const [carried] = await rate(simulation, [pump(client, server)], 20);
    const most = bandwidth * MSS / (MSS + 40);
    assert.ok(carried > 0.93 * most && carried <= 1.001 * most, `${carried} of ${most}`);
    assert.ok(link.there.counts.dropped > 0);
  }
});

Deno.test("distance alone does not limit a stream below what buffers of 4 MiB allow", async () => {
  const { simulation, client, server } = await linked({ latency: 50 });
  const [carried] = await rate(simulation, [pump(client, server)], 1, 2);
  const most = 4 * 1024 * 1024 / 0.1;
  assert.ok(carried > 0.9 * most && carried <= 1.01 * most, `${carried}`);
});

Deno.test("loss slows a stream as Reno's formula says", async () => {
  for (const [loss, latency] of [[0.01, 50], [0.002, 25]]) {
    const { simulation, client, server } = await linked({ latency, loss });
    const [carried] = await rate(simulation, [pump(client, server)], 120);
    const formula = MSS / (2 * latency / 1_000) * Math.sqrt(1.5 / loss);
    assert.ok(carried > 0.75 * formula && carried < 1.25 * formula, `${carried / formula} of the formula`);
  }
});

Deno.test("duplicates do not slow a stream", async () => {
  const { simulation, client, server } = await linked({ latency: 20, bandwidth: 500_000, duplicate: 0.05 });
  const [carried] = await rate(simulation, [pump(client, server)], 30);
  assert.ok(carried > 0.9 * 500_000 * MSS / (MSS + 40), `${carried}`);
});

Deno.test("two streams share a link, and datagrams wait in the same queue", async () => {
  const { simulation, a, b, client, server, link } = await linked({ latency: 20, bandwidth: 500_000, queue: 50_000 });
  const other = await connect(simulation, a, b, 6882);
  const [one, two] = await rate(simulation, [pump(client, server), pump(other.client, other.server)], 120);
  assert.ok(one + two > 450_000 && Math.min(one, two) > 0.6 * Math.max(one, two), `${one}, ${two}`);
  const [from, to] = await simulation.complete(
    Promise.all([a, b].map(({ net }) => net.datagrams({ ip: "0.0.0.0", port: 1 }))),
  );
  const { wait } = link.there;
  const began = simulation.now;
  await from.send(new Uint8Array(1), to.address.ip === "0.0.0.0" ? peerAddress(b.ip, 1) : to.address);
  await simulation.complete(to.receive(new Uint8Array(1)));
  assert.ok(wait > 10 && simulation.now - began >= 20 + wait, `${wait}`);
});

Deno.test("a stream waits out a partition", async () => {
  const { simulation, a, b, client, server } = await linked({ latency: 10 });
  const partition = simulation.network.partition([a], [b]);
  await client.write(Uint8Array.of(7));
  await simulation.run(20_000);
  partition[Symbol.dispose]();
  const into = new Uint8Array(1);
  await simulation.complete(server.read(into), { limitMs: 30_000 });
  assert.equal(into[0], 7);
});

Deno.test("a lost SYN is sent again after a second, and so is its answer", async () => {
  for (const way of ["there", "back"] as const) {
    using simulation = createSimulation({ seed: 1 });
    const [a, b] = [simulation.host("a"), simulation.host("b")];
    await simulation.complete(b.net.listen({ ip: "::", port: 1 }));
    const link = simulation.network.connect(a, b, { latency: 20 });
    link[way].set({ loss: 1 });
    const connecting = a.net.connect(peerAddress(b.ip, 1));
    await simulation.run(500);
    link[way].set({ latency: 20 });
    await simulation.complete(connecting);
    assert.equal(simulation.now, 1_040, way);
  }
});

Deno.test("connecting times out when the answers stay away", async () => {
  using simulation = createSimulation({ seed: 1 });
  const [a, b] = [simulation.host("a"), simulation.host("b")];
  await simulation.complete(b.net.listen({ ip: "::", port: 1 }));
  simulation.network.connect(a, b, {}, { loss: 1 });
  await assert.rejects(
    simulation.complete(a.net.connect(peerAddress(b.ip, 1))),
    (error) => error instanceof NetError && error.fault === "timedOut",
  );
});

Deno.test("a reset comes through, and what was still to be sent does not take the link any more", async () => {
  const { simulation, client, server, link } = await linked({ latency: 20, bandwidth: 100_000 });
  const writing = (async () => {
    for (;;) await client.write(new Uint8Array(16_384));
  })();
  await simulation.run(2_000);
  server.close();
  await assert.rejects(
    simulation.complete(writing),
    (error) => error instanceof NetError && error.fault === "reset",
  );
  await simulation.run(500);
  const { packets } = link.there.counts;
  await simulation.run(60_000);
  assert.ok(link.there.counts.packets - packets <= 1, `${link.there.counts.packets - packets}`);
  assert.equal(simulation.pendingTimers, 0);
});

Deno.test("an ended stream leaves no timer", async () => {
  const { simulation, client, server } = await linked({ latency: 20, loss: 0.2 });
  for (const stream of [client, server]) await stream.closeWrite();
  for (const stream of [client, server]) {
    assert.equal(await simulation.complete(stream.read(new Uint8Array(1))), 0);
    stream.close();
  }
  await simulation.run(120_000);
  assert.equal(simulation.pendingTimers, 0);
});
