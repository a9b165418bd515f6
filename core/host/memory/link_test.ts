import assert from "node:assert/strict";
import { type LinkOptions, type Packet, sizeOf } from "./link.ts";
import { Link } from "./link.ts";
import { SeededRandom } from "./random.ts";
import { Timeline } from "./timeline.ts";

/** Sends `count` packets of 1,000 bytes with their headers, `every` ms; when each arrived, in order of arrival. */
async function send(options: LinkOptions, { count = 1, every = 0, bytes = 972, to = "20.0.0.2" } = {}) {
  const timeline = new Timeline();
  const link = new Link(timeline, new SeededRandom(1), options);
  const packet: Packet = { from: "20.0.0.1", to, bytes, kind: "datagram" };
  const arrived: { i: number; at: number }[] = [];
  const lost: number[] = [];
  for (let i = 0; i < count; i++) {
    timeline.after(i * every, () => {
      link.pass(packet, () => void arrived.push({ i, at: timeline.now }), () => void lost.push(i));
    });
  }
  await timeline.advance(1e9, () => false);
  return { link, arrived, lost, times: arrived.map(({ at }) => at), order: arrived.map(({ i }) => i) };
}

Deno.test("a link without options takes 1 ms and does no harm", async () => {
  const { times, lost } = await send({}, { count: 5 });
  assert.deepEqual([times, lost], [[1, 1, 1, 1, 1], []]);
});

Deno.test("latency delays, and jitter adds up to so much without changing the order", async () => {
  const { times, order } = await send({ latency: 50, jitter: 5 }, { count: 200, every: 20 });
  assert.deepEqual(order, order.toSorted((a, b) => a - b));
  const delays = times.map((at, i) => at - i * 20);
  assert.ok(delays.every((delay) => delay >= 50 && delay < 55));
  assert.ok(Math.min(...delays) < 50.5 && Math.max(...delays) > 54.5);
  const dense = await send({ latency: 50, jitter: 5 }, { count: 200 });
  assert.deepEqual(dense.order, dense.order.toSorted((a, b) => a - b));
});

Deno.test("loss takes its share, and is counted", async () => {
  const { lost, arrived, link } = await send({ loss: 0.1 }, { count: 10_000 });
  assert.ok(Math.abs(lost.length - 1_000) < 100, `${lost.length}`);
  assert.equal(lost.length + arrived.length, 10_000);
  assert.deepEqual([link.counts.packets, link.counts.lost], [10_000, lost.length]);
});

Deno.test("reordering holds its share of packets back, so that later ones overtake them", async () => {
  const { order, times, link } = await send({ reorder: 0.1, reorderBy: 20 }, { count: 1_000, every: 1 });
  const late = order.filter((i, at) => order.slice(0, at).some((before) => before > i)).length;
  assert.ok(late > 50 && late <= link.counts.reordered, `${late} of ${link.counts.reordered}`);
  assert.ok(times.every((at, k) => at - order[k] < 21.01));
});

Deno.test("duplicates arrive twice", async () => {
  const { order, link } = await send({ duplicate: 0.5 }, { count: 1_000 });
  assert.equal(order.length, 1_000 + link.counts.duplicated);
  assert.ok(Math.abs(link.counts.duplicated - 500) < 100);
});

Deno.test("bandwidth spaces packets, and what waits in the queue comes later", async () => {
  const { times, link } = await send({ latency: 10, bandwidth: 100_000 }, { count: 4 });
  assert.deepEqual(times, [20, 30, 40, 50]);
  assert.equal(link.counts.longestWait, 30);
  assert.equal(link.wait, 0);
});

Deno.test("a queue takes so many bytes, and drops what comes on top until there is room again", async () => {
  const options = { bandwidth: 100_000, queue: 3_000 };
  const burst = await send(options, { count: 10 });
  assert.deepEqual([burst.order, burst.link.counts.dropped], [[0, 1, 2], 7]);
  const steady = await send(options, { count: 100, every: 10 });
  assert.equal(steady.lost.length, 0);
  const twice = await send(options, { count: 1_000, every: 5 });
  assert.ok(Math.abs(twice.lost.length - 500) < 5, `${twice.lost.length}`);
});

Deno.test("a packet that finds the queue empty passes, however small the queue", async () => {
  assert.equal((await send({ bandwidth: 1_000, queue: 0 })).arrived.length, 1);
});

Deno.test("a queue of no given length holds 100 ms, and at least 15,000 bytes", async () => {
  assert.equal((await send({ bandwidth: 1_000_000 }, { count: 200 })).arrived.length, 100);
  assert.equal((await send({ bandwidth: 10_000 }, { count: 200 })).arrived.length, 15);
});

Deno.test("the MTU counts headers, those of IPv6 too", async () => {
  for (
    const [bytes, to, passes] of [[1472, "20.0.0.2", 1], [1473, "20.0.0.2", 0], [1452, "::2", 1], [1453, "::2", 0]]
  ) {
    const { arrived, link } = await send({ mtu: 1_500 }, { bytes: bytes as number, to: to as string });
    assert.deepEqual([arrived.length, link.counts.oversize], [passes, 1 - (passes as number)], `${bytes} to ${to}`);
  }
  assert.equal(sizeOf({ from: "::1", to: "::2", bytes: 100, kind: "stream" }), 160);
});

Deno.test("set() makes it another link from then on", async () => {
  const timeline = new Timeline();
  const link = new Link(timeline, new SeededRandom(1), { latency: 5 });
  const packet: Packet = { from: "20.0.0.1", to: "20.0.0.2", bytes: 1, kind: "datagram" };
  const seen: string[] = [];
  const pass = (name: string) =>
    link.pass(packet, () => seen.push(`${name} ${timeline.now}`), () => seen.push(`${name} lost`));
  pass("one");
  link.set({ loss: 1 });
  pass("two");
  await timeline.advance(100, () => false);
  assert.deepEqual(seen, ["two lost", "one 5"]);
});

Deno.test("a link refuses options that are out of range, and names them", () => {
  const make = (options: LinkOptions) => () => new Link(new Timeline(), new SeededRandom(1), options);
  assert.throws(make({ loss: 1.5 }), /^Error: Cannot make a link: loss must be 0 to 1, not "1.5"$/);
  assert.throws(make({ latency: -1 }), /latency must be 0 or more, not "-1"/);
  assert.throws(make({ bandwidth: 0 }), /bandwidth must be 1 or more, not "0"/);
  assert.throws(make({ mtu: 20 }), /mtu must be 68 or more, not "20"/);
  assert.throws(make({ jitter: NaN }), /jitter/);
});
