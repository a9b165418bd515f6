import assert from "node:assert/strict";
import type { ByteStream, HttpHandler } from "../api/mod.ts";
import { peerAddress } from "../wire/mod.ts";
import { ListeningServer } from "./http_server.ts";
import { createSimulation, type MemoryHost } from "./memory/mod.ts";

const get = "GET / HTTP/1.1\r\nhost: t.example\r\n\r\n";
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const hello: HttpHandler = () => new Response("hello", { headers: { "content-length": "5" } });
const echo: HttpHandler = async (request) =>
  new Response(`${request.method} ${request.url} ${await request.text()}`, { headers: { "content-type": "x/y" } });

/** A server in simulated time, and clients of it. */
async function world(handler: HttpHandler, maxConnections = 10) {
  const simulation = createSimulation({ seed: 1 });
  const host = simulation.host("server");
  const listener = await simulation.complete(host.net.listen({ ip: "::", port: 80 }));
  const { clock } = host;
  const server = new ListeningServer({ listener, handler, clock, maxConnections });
  const hosts = new Map<string, MemoryHost>();
  const connect = async (name: string) => {
    if (!hosts.has(name)) hosts.set(name, simulation.host(name));
    return await simulation.complete(hosts.get(name)!.net.connect(peerAddress(host.ip, 80)));
  };
  const client = async (name: string, sends = "") => {
    const stream = await connect(name);
    const seen = { text: "", ended: false, stream };
    void (async () => {
      const into = new Uint8Array(4096);
      for (let n; (n = await stream.read(into)) > 0;) {
        seen.text += new TextDecoder("latin1").decode(into.subarray(0, n));
      }
    })().catch(() => {}).finally(() => seen.ended = true);
    await send(stream, sends);
    return seen;
  };
  const send = async (stream: ByteStream, text: string): Promise<void> => {
    if (text !== "") await simulation.complete(stream.write(encode(text)));
    await simulation.run(100);
  };
  return { simulation, server, connect, client, send, [Symbol.dispose]: () => simulation[Symbol.dispose]() };
}

Deno.test("a client that says nothing, or half a request, is shed after ten seconds", async () => {
  using here = await world(hello);
  const silent = await here.client("a");
  const half = await here.client("b", "GET / HTTP/1.1\r\nhost:");
  const idle = await here.client("c", get);
  assert.match(idle.text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhello$/);
  await here.simulation.run(9_000);
  assert.deepEqual([silent.ended, half.ended, idle.ended], [false, false, false]);
  await here.simulation.run(2_000);
  assert.deepEqual([silent.ended, half.ended, idle.ended], [true, true, true]);
});

Deno.test("half a body is answered with 408 when no more of it comes", async () => {
  using here = await world(echo);
  const half = await here.client("a", "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nhalf");
  await here.simulation.run(8_000);
  assert.equal(half.text, "");
  await here.send(half.stream, "er");
  await here.simulation.run(9_000);
  assert.equal(half.ended, false); // it still came
  await here.simulation.run(3_000);
  assert.match(half.text, /^HTTP\/1\.1 408 /);
  assert.equal(half.ended, true);
});

Deno.test("a full server closes what waits the longest, of the address that holds most; others are served", async () => {
  using here = await world(hello, 4);
  const honest = await here.client("honest");
  const many = [];
  for (let i = 0; i < 5; i++) many.push(await here.client("many"));
  assert.deepEqual(many.map(({ ended }) => ended), [true, true, false, false, false]);
  const late = await here.client("late", get);
  assert.match(late.text, /hello$/);
  await here.send(honest.stream, get);
  assert.match(honest.text, /hello$/);
});

Deno.test("a full server refuses newcomers while all of its connections are being answered", async () => {
  using here = await world(() => new Promise(() => {}), 2);
  const first = await here.client("a", get);
  const second = await here.client("b", get);
  const third = await here.client("c", get);
  assert.deepEqual([first.ended, second.ended, third.ended], [false, false, true]);
});

Deno.test("close() cuts silence, half heads and half bodies at once, and answers under way after a moment", async () => {
  using here = await world((request) => request.method === "GET" ? new Promise<Response>(() => {}) : echo(request));
  const silent = await here.client("a");
  const half = await here.client("b", "POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nhalf");
  const hangs = await here.client("c", get);
  const began = here.simulation.now;
  let closed = Infinity;
  void here.server.close().then(() => closed = here.simulation.now);
  await here.simulation.run(100);
  assert.deepEqual([silent.ended, half.ended, hangs.ended], [true, true, false]);
  await here.simulation.run(1_000);
  assert.equal(hangs.ended, true);
  assert.equal(closed - began, 500);
});

Deno.test("an accept that fails, whatever it says, is tried again", async () => {
  using simulation = createSimulation({ seed: 1 });
  const { clock } = simulation.host("a");
  let accepts = 0;
  const listener = { accept: () => Promise.reject(new Error(`${accepts++}`)), close: () => {} };
  const server = new ListeningServer({ listener, handler: hello, clock, maxConnections: 1 });
  await simulation.run(5_500);
  assert.equal(accepts, 6);
  await simulation.complete(server.close());
});

Deno.test("requests follow one another on a connection, also when they are sent in one go", async () => {
  using here = await world(hello);
  const { text, ended } = await here.client("a", `${get}${get}GET / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n`);
  assert.equal(text.match(/hello/g)?.length, 3);
  assert.equal(ended, true);
});

Deno.test("bodies are read by their length or in chunks, after 100 Continue where the client waits for it", async () => {
  using here = await world(echo);
  const head = "POST /x HTTP/1.1\r\nhost: t.example\r\n";
  const counted = await here.client("a", `${head}content-length: 4\r\n\r\nbody`);
  assert.match(counted.text, /\r\n1c\r\nPOST http:\/\/t\.example\/x body\r\n0\r\n\r\n$/);
  const chunks = await here.client("b", `${head}transfer-encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n`);
  assert.match(chunks.text, / body\r\n0/);
  const waits = await here.client("c", `${head}expect: 100-continue\r\ncontent-length: 4\r\n\r\n`);
  assert.equal(waits.text, "HTTP/1.1 100 Continue\r\n\r\n");
  await here.send(waits.stream, "body");
  assert.match(waits.text, / body\r\n0/);
});

Deno.test("an answer to one who spoke HTTP/1.0, or asked for its head alone, is what such a client reads", async () => {
  using here = await world(({ url }) => url.endsWith("/stream") ? new Response("hello") : hello(undefined!));
  const old = await here.client("a", "GET /stream HTTP/1.0\r\n\r\n");
  assert.match(old.text, /\r\n\r\nhello$/);
  assert.equal(old.ended, true);
  const head = await here.client("b", "HEAD / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
  assert.match(head.text, /content-length: 5\r\n[^]*\r\n\r\n$/);
});

Deno.test("a request that can't be read is told why, and a handler that throws is a 500", async () => {
  using here = await world(() => {
    throw new Error("a bug");
  });
  const answers: [request: string, status: RegExp][] = [
    ["hello\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["GET / HTTP/2.0\r\n\r\n", /^HTTP\/1\.1 505 /],
    ["GET / HTTP/1.1\r\nno colon\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["GET / HTTP/1.1\r\n folded: x\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["GET nowhere HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["GET /\t HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["GET / HTTP/1.1\r\nhost: a b\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", /^HTTP\/1\.1 501 /],
    [`GET / HTTP/1.1\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    [`GET / HTTP/1.1\r\n${"x: y\r\n".repeat(200)}\r\n`, /^HTTP\/1\.1 431 /],
    [get, /^HTTP\/1\.1 500 /],
  ];
  for (const [request, status] of answers) assert.match((await here.client("a", request)).text, status);
});

Deno.test("bytes of a target that are no ASCII arrive percent-encoded, as they were sent", async () => {
  using here = await world(({ url }) => new Response(url));
  const seen = await here.client("a", "GET /?h=%ff\xe9 HTTP/1.1\r\nhost: t\r\n\r\n");
  assert.match(seen.text, /http:\/\/t\/\?h=%ff%c3%a9/);
});

Deno.test("a host that no URL can have costs nothing but itself: libtorrent leaves the brackets of IPv6 out", async () => {
  using here = await world(({ url }) => new Response(url));
  for (const host of ["fd00::1:6969", "::1", "1.2.3.999", "a:b"]) {
    const client = await here.client("a", `GET /announce?x=1 HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    assert.match(client.text, /^HTTP\/1\.1 200 OK[^]*http:\/\/localhost\/announce\?x=1/, host);
  }
});

Deno.test("an answer without an end ends when its client leaves, and its source is told", async () => {
  let cancelled = false;
  using here = await world(() =>
    new Response(
      new ReadableStream({ start: (c) => c.enqueue(encode("begin")), cancel: () => void (cancelled = true) }),
    )
  );
  const client = await here.client("a", get);
  assert.match(client.text, /\r\n5\r\nbegin\r\n$/);
  await here.simulation.run(60_000);
  assert.equal(client.ended, false);
  client.stream.close();
  await here.simulation.run(3_000);
  assert.equal(cancelled, true);
});

Deno.test("a client that takes nothing of its answer is cut off", async () => {
  const flood = () => new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(64 * 1024)) }));
  using here = await world(flood, 1);
  const stream = await here.connect("a");
  await here.send(stream, get);
  await here.simulation.run(32_000);
  await assert.rejects((async () => {
    const into = new Uint8Array(64 * 1024);
    for (let n = 1; n > 0;) n = await here.simulation.complete(stream.read(into));
    throw new Error("it ended");
  })());
});
