/** The same tests against both hosts, so that the one in memory can be trusted. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type ByteStream, DiskError, type DiskFault, type Host, NetError, type NetFault } from "../api/host.ts";
import { peerAddress } from "../wire/mod.ts";
import { denoHost } from "./deno/mod.ts";
import { createSimulation } from "./memory/mod.ts";

interface World {
  readonly name: string;
  /** Runs `body` in a fresh world with an empty directory. */
  run(body: (host: Host, directory: string) => Promise<void>): Promise<void>;
}

const memoryWorld: World = {
  name: "memory host",
  async run(body) {
    using simulation = createSimulation({ seed: 1 });
    const host = simulation.host("a");
    await simulation.complete(host.disk.makeDirectory("/tmp/weft").then(() => body(host, "/tmp/weft")));
  },
};

const realWorld: World = {
  name: "Deno host",
  async run(body) {
    const directory = await Deno.makeTempDir({ prefix: "weft-host-" });
    const host = denoHost();
    const awake = setInterval(() => {}, 60_000); // a watch alone doesn't keep older Denos from ending
    try {
      await body(host, directory);
    } finally {
      clearInterval(awake);
      await host.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
};

function conform(name: string, body: (host: Host, directory: string) => Promise<void>): void {
  for (const world of [memoryWorld, realWorld]) {
    Deno.test({
      name: `${world.name}: ${name}`,
      sanitizeOps: true,
      sanitizeResources: true,
      fn: () => world.run(body),
    });
  }
}

/** Two ends of one connection on loopback. */
async function pair(host: Host): Promise<{ client: ByteStream; server: ByteStream } & Disposable> {
  const listener = await host.net.listen({ ip: "::", port: 0 });
  const accepted = listener.accept();
  const client = await host.net.connect(peerAddress("127.0.0.1", listener.address.port));
  const server = await accepted;
  listener.close();
  const close = () => {
    client.close();
    server.close();
  };
  return { client, server, [Symbol.dispose]: close };
}

async function readAll(stream: ByteStream): Promise<string> {
  let text = "";
  const into = new Uint8Array(7);
  for (let length = await stream.read(into); length > 0; length = await stream.read(into)) {
    text += new TextDecoder().decode(into.subarray(0, length));
  }
  return text;
}

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const netFault = (fault: NetFault) => (error: unknown) => error instanceof NetError && error.fault === fault;
const diskFault = (fault: DiskFault, path: string) => (error: unknown) =>
  error instanceof DiskError && error.fault === fault && error.message.includes(path);

conform("a timer fires once, in order, unless cancelled", async (host) => {
  const fired: string[] = [];
  const start = host.clock.now();
  await new Promise<void>((resolve) => {
    host.clock.after(20, resolve);
    host.clock.after(10, () => fired.push("ten"));
    host.clock.after(1, () => fired.push("one"));
    const cancelled = host.clock.after(5, () => fired.push("five"));
    cancelled.cancel();
    cancelled.cancel();
  });
  assert.deepEqual(fired, ["one", "ten"]);
  assert.ok(host.clock.now() - start >= 19);
  assert.ok(host.clock.wall() > Date.UTC(2025, 0, 1));
});

conform("randomness stays in its bounds", async (host) => {
  assert.equal(host.random.bytes(5000).length, 5000);
  assert.notDeepEqual(host.random.bytes(16), host.random.bytes(16));
  const seen = new Set(Array.from({ length: 200 }, () => host.random.below(3)));
  assert.deepEqual([...seen].sort(), [0, 1, 2]);
  await Promise.resolve();
});

conform("a stream carries bytes both ways, and its addresses mirror", async (host) => {
  using ends = await pair(host);
  const { client, server } = ends;
  assert.equal(client.local.key, server.remote.key);
  assert.equal(client.remote.key, server.local.key);
  assert.equal(server.remote.ip, "127.0.0.1");
  await client.write(encode("hello"));
  await server.write(encode("and hello"));
  await client.closeWrite();
  await server.closeWrite();
  assert.equal(await readAll(server), "hello");
  assert.equal(await readAll(client), "and hello");
});

conform("a half-closed stream can still be written from the other side", async (host) => {
  using ends = await pair(host);
  await ends.client.closeWrite();
  assert.equal(await ends.server.read(new Uint8Array(4)), 0);
  await ends.server.write(encode("late"));
  assert.equal(await ends.client.read(new Uint8Array(4)), 4);
  await assert.rejects(ends.client.write(encode("no")), NetError);
});

conform("a stream returns bytes given back before those that follow", async (host) => {
  using ends = await pair(host);
  await ends.client.write(encode("world"));
  await ends.client.closeWrite();
  ends.server.unread(encode("lo "));
  ends.server.unread(encode("hel"));
  ends.server.unread(encode(""));
  assert.equal(await readAll(ends.server), "hello world");
});

conform("a write waits for its reader, and nothing is lost", async (host) => {
  using ends = await pair(host);
  // More than a kernel buffers, so that the writer must wait.
  const sent = host.random.bytes(16 * 1024 * 1024);
  let written = false;
  const writing = ends.client.write(sent).then(() => ends.client.closeWrite()).then(() => void (written = true));
  await new Promise<void>((resolve) => void host.clock.after(20, resolve));
  assert.equal(written, false);
  const hash = createHash("sha1");
  const into = new Uint8Array(65_536);
  for (let n = await ends.server.read(into); n > 0; n = await ends.server.read(into)) hash.update(into.subarray(0, n));
  await writing;
  assert.equal(hash.digest("hex"), createHash("sha1").update(sent).digest("hex"));
});

conform("closing a stream rejects its pending read with the reason, and so every later call", async (host) => {
  using ends = await pair(host);
  const reason = new Error("enough");
  const reading = assert.rejects(ends.client.read(new Uint8Array(1)), (error) => error === reason);
  ends.client.close(reason);
  ends.client.close(new Error("a second reason"));
  await reading;
  await assert.rejects(ends.client.write(encode("x")), (error) => error === reason);
  await assert.rejects(ends.client.read(new Uint8Array(1)), (error) => error === reason);
  assert.equal(await ends.server.read(new Uint8Array(1)), 0);
});

conform("closing a stream rejects its pending write with the reason", async (host) => {
  using ends = await pair(host);
  const reason = new Error("enough");
  const writing = assert.rejects(ends.client.write(new Uint8Array(16 * 1024 * 1024)), (error) => error === reason);
  await new Promise<void>((resolve) => void host.clock.after(10, resolve));
  ends.client.close(reason);
  await writing;
});

conform("closing with unread bytes fails what the other side writes, after the end of what it reads", async (host) => {
  using ends = await pair(host);
  await ends.client.write(encode("ignored"));
  await new Promise<void>((resolve) => void host.clock.after(20, resolve));
  ends.server.close();
  await new Promise<void>((resolve) => void host.clock.after(20, resolve));
  assert.equal(await ends.client.read(new Uint8Array(1)), 0);
  await assert.rejects(ends.client.write(encode("x")), netFault("reset"));
});

conform("writing to a stream that the other side closed fails sooner or later", async (host) => {
  using ends = await pair(host);
  ends.server.close();
  await assert.rejects(async () => {
    for (;;) {
      await ends.client.write(encode("x"));
      await new Promise<void>((resolve) => void host.clock.after(5, resolve));
    }
  }, netFault("reset"));
});

conform("connecting where nobody listens is refused", async (host) => {
  const listener = await host.net.listen({ ip: "127.0.0.1", port: 0 });
  const { port } = listener.address;
  listener.close();
  listener.close();
  await assert.rejects(host.net.connect(peerAddress("127.0.0.1", port)), netFault("refused"));
});

conform("an aborted connect rejects with the signal's reason", async (host) => {
  const reason = new Error("never mind");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(host.net.connect(peerAddress("127.0.0.1", 9), { signal }), (error) => error === reason);
});

conform("a port can be bound once, but twice when both ask to share it", async (host) => {
  const first = await host.net.listen({ ip: "::", port: 0 });
  const { port } = first.address;
  await assert.rejects(
    host.net.listen({ ip: "127.0.0.1", port }),
    (error) => error instanceof NetError && error.fault === "inUse" && error.message.includes(String(port)),
  );
  first.close();
  const one = await host.net.listen({ ip: "127.0.0.1", port: 0 }, { reusePort: true });
  const two = await host.net.listen({ ip: "127.0.0.1", port: one.address.port }, { reusePort: true });
  one.close();
  two.close();
});

conform("closing a listener rejects the accept that waits", async (host) => {
  const listener = await host.net.listen({ ip: "127.0.0.1", port: 0 });
  const accepting = assert.rejects(listener.accept(), netFault("closed"));
  listener.close();
  await accepting;
  await assert.rejects(listener.accept(), netFault("closed"));
});

conform("a datagram arrives with its sender's address, cut to the buffer", async (host) => {
  const a = await host.net.datagrams({ ip: "::", port: 0 });
  const b = await host.net.datagrams({ ip: "127.0.0.1", port: 0 });
  await a.send(encode("ping!"), b.address);
  const got = await b.receive(new Uint8Array(4));
  assert.equal(decode(got.bytes), "ping");
  assert.equal(got.from.key, `127.0.0.1:${a.address.port}`);
  await b.send(encode("pong"), got.from);
  const answer = await a.receive(new Uint8Array(1500));
  assert.equal(decode(answer.bytes), "pong");
  assert.equal(answer.from.key, b.address.key);
  const receiving = assert.rejects(a.receive(new Uint8Array(4)), netFault("closed"));
  a.close();
  a.close();
  b.close();
  await receiving;
});

conform("the interfaces are listed, with the loopback one among them", async (host) => {
  const interfaces = await host.net.interfaces();
  const loopback = interfaces.filter(({ loopback }) => loopback);
  assert.equal(loopback.length, 1);
  assert.ok(loopback[0].ips.includes("127.0.0.1"));
  assert.equal(new Set(interfaces.map(({ name }) => name)).size, interfaces.length);
  for (const { name, ips } of interfaces) assert.ok(name !== "" && ips.length > 0);
});

conform("what is sent to a multicast group reaches all who joined it, the sender too", async (host) => {
  const interfaces = (await host.net.interfaces()).filter(({ loopback }) => loopback);
  const options = { group: "239.255.77.77", port: 16_771, interfaces };
  const [a, b] = [await host.net.multicast(options), await host.net.multicast(options)];
  const other = await host.net.multicast({ ...options, group: "239.255.77.78" });
  assert.equal(a.address.key, "239.255.77.77:16771");
  const overheard = assert.rejects(other.receive(new Uint8Array(9)), netFault("closed"));
  await a.send(encode("hello"), a.address);
  const [own, heard] = await Promise.all([a.receive(new Uint8Array(9)), b.receive(new Uint8Array(9))]);
  assert.equal(decode(own.bytes), "hello");
  assert.equal(decode(heard.bytes), "hello");
  assert.equal(heard.from.ip, "127.0.0.1");
  assert.equal(heard.from.key, own.from.key);
  const receiving = assert.rejects(a.receive(new Uint8Array(9)), netFault("closed"));
  for (const socket of [a, a, b, other]) socket.close();
  await Promise.all([receiving, overheard]);
  await assert.rejects(a.send(encode("late"), a.address), netFault("closed"));
});

conform("a multicast socket sends to its group alone, and needs an interface", async (host) => {
  const interfaces = (await host.net.interfaces()).filter(({ loopback }) => loopback);
  const options = { group: "239.255.77.77", port: 16_772, interfaces };
  const socket = await host.net.multicast(options);
  await assert.rejects(socket.send(encode("x"), peerAddress("239.255.77.78", 16_772)), netFault("denied"));
  await assert.rejects(socket.send(encode("x"), peerAddress("127.0.0.1", 16_772)), netFault("denied"));
  socket.close();
  await assert.rejects(host.net.multicast({ ...options, interfaces: [] }), netFault("unreachable"));
});

conform("names resolve: addresses to themselves, localhost to loopback", async (host) => {
  assert.deepEqual(await host.net.resolve("10.1.2.3"), ["10.1.2.3"]);
  assert.deepEqual(await host.net.resolve("[::1]"), ["::1"]);
  assert.ok((await host.net.resolve("localhost")).some((ip) => ip === "127.0.0.1" || ip === "::1"));
  await assert.rejects(
    host.net.resolve("nowhere.invalid"),
    (error) => netFault("notFound")(error) && (error as Error).message.includes("nowhere.invalid"),
  );
});

conform("http reaches the pinned address, with the URL's name and path", async (host) => {
  const server = await host.net.serve({ ip: "127.0.0.1", port: 0 }, async (request) => {
    const body = await request.text();
    return new Response(`${request.method} ${request.url} ${request.headers.get("x-test")} ${body}`);
  });
  const url = new URL("http://tracker.test:8080/announce?info_hash=%12%ff%00a&x=1");
  const got = await host.net.http({ url, connectTo: server.address, headers: { "x-test": "yes" } });
  assert.equal(await got.text(), `GET ${url} yes `);
  const posted = await host.net.http({ url, connectTo: server.address, method: "POST", body: encode("body") });
  assert.equal(await posted.text(), `POST ${url} null body`);
  const plain = await host.net.http({ url: new URL(`http://localhost:${server.address!.port}/`) });
  assert.equal(plain.status, 200);
  await plain.body?.cancel();
  await server.close();
});

conform("a server is told who asks", async (host) => {
  const server = await host.net.serve(
    { ip: "127.0.0.1", port: 0 },
    (_, from) => new Response(`${from?.ip} ${from?.key === server.address!.key}`),
  );
  const url = new URL(`http://127.0.0.1:${server.address!.port}/`);
  assert.equal(await (await host.net.http({ url, connectTo: server.address })).text(), "127.0.0.1 false");
  await server.close();
});

conform("http shows redirects and errors as they are", async (host) => {
  const server = await host.net.serve({ ip: "127.0.0.1", port: 0 }, ({ url }) => {
    if (url.endsWith("/moved")) return new Response(null, { status: 302, headers: { location: "/elsewhere" } });
    if (url.endsWith("/empty")) return new Response(null, { status: 204 });
    throw new Error("a bug in the handler");
  });
  const get = (path: string) =>
    host.net.http({ url: new URL(path, `http://127.0.0.1:${server.address!.port}`), connectTo: server.address });
  const moved = await get("/moved");
  assert.equal(moved.status, 302);
  assert.equal(moved.headers.get("location"), "/elsewhere");
  await moved.body?.cancel();
  assert.equal((await get("/empty")).status, 204);
  const failed = await get("/throws");
  assert.equal(failed.status, 500);
  await failed.text();
  await server.close();
});

conform("http inflates what was compressed and takes bodies of any size", async (host) => {
  const text = "d8:intervali1800ee".repeat(20_000);
  const server = await host.net.serve({ ip: "127.0.0.1", port: 0 }, ({ url }) => {
    const stream = new Response(text).body!;
    if (!url.endsWith("/gzip")) return new Response(stream);
    return new Response(stream.pipeThrough(new CompressionStream("gzip")), { headers: { "content-encoding": "gzip" } });
  });
  for (const path of ["gzip", "plain"]) {
    const url = new URL(`http://127.0.0.1:${server.address!.port}/${path}`);
    assert.equal(await (await host.net.http({ url, connectTo: server.address })).text(), text);
  }
  await server.close();
});

conform("http is refused where nobody listens, and breaks off when aborted", async (host) => {
  const stuck = new ReadableStream({ start: (controller) => controller.enqueue(encode("begin")) });
  const server = await host.net.serve({ ip: "127.0.0.1", port: 0 }, () => new Response(stuck));
  const url = new URL(`http://127.0.0.1:${server.address!.port}/`);
  const abort = new AbortController();
  const reason = new Error("too slow");
  const response = await host.net.http({ url, connectTo: server.address, signal: abort.signal });
  const reader = response.body!.getReader();
  assert.equal(decode((await reader.read()).value!), "begin");
  const reading = assert.rejects(reader.read(), (error) => error === reason);
  abort.abort(reason);
  await reading;
  await server.close();
  await assert.rejects(host.net.http({ url, connectTo: server.address }), netFault("refused"));
});

conform("http meets servers that break the protocol with an error", async (host) => {
  const answers: [answer: string, expected: RegExp | string][] = [
    ["garbage\r\n\r\n", /status line, current value is "garbage"/],
    ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", /ended 5 bytes too early/],
    ["HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\n", /content-length is "-3"/],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", /expected a chunk size/],
    ["HTTP/1.1 200 OK\r\nx: " + "y".repeat(20_000) + "\r\n\r\n", /line is too long/],
    ["HTTP/1.1 200 OK\r\n" + "x: y\r\n".repeat(300) + "\r\n", /more than 256 header fields/],
    ["HTTP/1.1 200 OK\r\n", /connection ended in its head/],
    ["HTTP/1.0 200\nbad header\nX: y\n\nold", "old"],
    ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", "ok"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"],
  ];
  const listener = await host.net.listen({ ip: "127.0.0.1", port: 0 });
  const url = new URL(`http://127.0.0.1:${listener.address.port}/`);
  for (const [answer, expected] of answers) {
    const served = listener.accept().then(async (stream) => {
      await stream.read(new Uint8Array(4096));
      await stream.write(encode(answer));
      stream.close();
    });
    const fetched = host.net.http({ url, connectTo: listener.address }).then((response) => response.text());
    if (typeof expected === "string") assert.equal(await fetched, expected);
    else await assert.rejects(fetched, (error) => netFault("io")(error) && expected.test((error as Error).message));
    await served;
  }
  listener.close();
});

conform("serve answers on a Unix socket, which one server holds", async (host, directory) => {
  const path = `${directory}/weft.sock`;
  const server = await host.net.serve({ path }, (request) => new Response(new URL(request.url).pathname));
  assert.equal(server.address, undefined);
  await assert.rejects(host.net.serve({ path }, () => new Response()), netFault("inUse"));
  const get = () => host.net.http({ url: new URL("http://weft/status"), connectTo: { path } });
  assert.equal(await (await get()).text(), "/status");
  await server.close();
  await assert.rejects(get(), netFault("refused"));
  const again = await host.net.serve({ path }, () => new Response());
  await again.close();
});

conform("an open file tells when it is deleted or another takes its place", async (host, directory) => {
  const path = `${directory}/file`;
  await host.disk.writeFile(path, encode("one"));
  const file = await host.disk.open(path, { write: false });
  assert.equal(file.stat().id, (await host.disk.lstat(path))!.id);
  assert.equal(file.stat().links, 1);
  await host.disk.writeFile(path, encode("another"));
  assert.notEqual(file.stat().id, (await host.disk.lstat(path))!.id);
  assert.deepEqual([file.stat().links, file.stat().size], [0, 3]);
  await file.close();
  assert.throws(() => file.stat(), diskFault("io", path));
  await host.disk.makeDirectory(`${directory}/folder`);
  await host.disk.writeFile(`${directory}/folder/file`, encode("three"));
  const below = await host.disk.open(`${directory}/folder/file`, { write: true });
  await host.disk.remove(`${directory}/folder`, { recursive: true });
  assert.equal(below.stat().links, 0);
  await below.close();
});

conform("a file reads back what was written, anywhere in it", async (host, directory) => {
  const path = `${directory}/file`;
  const file = await host.disk.open(path, { write: true, create: true });
  await Promise.all([file.write(encode("world"), 70_000), file.write(encode("hello"), 0)]);
  await file.sync();
  assert.equal(file.stat().size, 70_005);
  const into = new Uint8Array(8);
  assert.equal(await file.read(into, 70_000), 5);
  assert.equal(decode(into.subarray(0, 5)), "world");
  assert.equal(await file.read(into, 100), 8);
  assert.deepEqual(into, new Uint8Array(8));
  assert.equal(await file.read(into, 99_999), 0);
  await file.truncate(2);
  assert.equal(await file.read(into, 0), 2);
  await file.close();
  assert.equal((await host.disk.lstat(path))!.size, 2);
  assert.equal(decode(await host.disk.readFile(path)), "he");
  await assert.rejects(host.disk.readFile(path, { maxBytes: 1 }), diskFault("io", path));
});

conform("a new file is made only where nothing stands, and what is the same file says so", async (host, directory) => {
  const path = `${directory}/new`;
  await (await host.disk.open(path, { write: true, create: "new" })).close();
  await assert.rejects(host.disk.open(path, { write: true, create: "new" }), diskFault("exists", path));
  await (await host.disk.open(`${path}2`, { write: true, create: "new" })).close();
  const ids = await Promise.all(
    [path, `${directory}/./new`, `${path}2`].map(async (at) => (await host.disk.lstat(at))!.id),
  );
  assert.ok(ids[0] !== undefined && ids[0] === ids[1] && ids[0] !== ids[2], `ids are ${ids}`);
});

conform("opening says what is wrong and where", async (host, directory) => {
  const missing = `${directory}/missing`;
  await assert.rejects(host.disk.open(missing, { write: false }), diskFault("notFound", missing));
  await assert.rejects(host.disk.open(missing, { write: true }), diskFault("notFound", missing));
  await assert.rejects(host.disk.open(`${missing}/x`, { write: true, create: true }), diskFault("notFound", missing));
  await assert.rejects(host.disk.open(directory, { write: true }), diskFault("io", directory));
  await assert.rejects(host.disk.realPath(missing), diskFault("notFound", missing));
  assert.equal(await host.disk.lstat(missing), undefined);
  assert.equal(await host.disk.stat(`${missing}/x`), undefined);
});

conform("directories are made with their parents, listed, and removed", async (host, directory) => {
  const { disk } = host;
  await disk.makeDirectory(`${directory}/a/b`);
  await disk.makeDirectory(`${directory}/a/b`);
  await disk.writeFile(`${directory}/a/file`, encode("x"));
  assert.equal((await disk.stat(`${directory}/a`))!.kind, "directory");
  assert.deepEqual([...await disk.list(`${directory}/a`)].sort(), ["b", "file"]);
  await assert.rejects(disk.makeDirectory(`${directory}/a/file`), diskFault("exists", "a/file"));
  await assert.rejects(disk.remove(`${directory}/a`), diskFault("exists", `${directory}/a`));
  await disk.remove(`${directory}/a/b`);
  await disk.remove(`${directory}/a`, { recursive: true });
  await assert.rejects(disk.remove(`${directory}/a`), diskFault("notFound", `${directory}/a`));
  assert.deepEqual(await disk.list(directory), []);
});

conform("a file is replaced whole, and renaming replaces too", async (host, directory) => {
  const { disk } = host;
  const [from, to] = [`${directory}/from`, `${directory}/to`];
  await disk.writeFile(to, encode("a longer text"));
  await disk.writeFile(to, encode("short"));
  assert.equal(decode(await disk.readFile(to)), "short");
  await disk.writeFile(from, encode("new"));
  await disk.rename(from, to);
  assert.equal(decode(await disk.readFile(to)), "new");
  await assert.rejects(disk.rename(from, to), diskFault("notFound", from));
  assert.deepEqual(await disk.list(directory), ["to"]);
});

conform("an open file lives on when its name is removed", async (host, directory) => {
  const path = `${directory}/file`;
  await host.disk.writeFile(path, encode("still here"));
  const file = await host.disk.open(path, { write: false });
  await host.disk.remove(path);
  const into = new Uint8Array(5);
  assert.equal(await file.read(into, 0), 5);
  await assert.rejects(file.write(into, 0), DiskError);
  await file.close();
});

conform("digest() hashes ranges of files and zeros as one run of bytes", async (host, directory) => {
  const path = `${directory}/file`;
  const bytes = host.random.bytes(600_000);
  await host.disk.writeFile(path, bytes);
  const expected = createHash("sha1").update(bytes.subarray(5, 500_005)).update(new Uint8Array(300_000)).update(
    bytes.subarray(0, 1),
  ).digest();
  const found = await host.disk.digest("sha1", [
    { path, position: 5, length: 500_000 },
    { length: 300_000 },
    { path, position: 0, length: 1 },
  ]);
  assert.deepEqual(found, new Uint8Array(expected));
  assert.equal((await host.disk.digest("sha256", []))!.length, 32);
  assert.equal(await host.disk.digest("sha1", [{ path, position: 599_999, length: 2 }]), undefined);
  assert.equal(await host.disk.digest("sha1", [{ path: `${path}-not`, position: 0, length: 1 }]), undefined);
});

conform(
  "watch() tells of files written, replaced, removed and come, and of nothing else",
  async (host, directory) => {
    const { disk } = host;
    const [file, other] = [`${directory}/file`, `${directory}/other`];
    await disk.writeFile(file, encode("one"));
    await disk.writeFile(other, encode("other"));
    let told = Promise.withResolvers<void>();
    let count = 0;
    const watch = disk.watch([file, `${directory}/late`, `${directory}/deep/below/deeper`], () => {
      count++;
      told.resolve();
    });
    const tells = async (change: () => Promise<unknown>) => {
      told = Promise.withResolvers();
      await change();
      await told.promise;
    };
    // A change brings events for a while; a mark after them says that there are no more.
    const settled = async (mark: string) => {
      await disk.writeFile(mark, encode("x"));
      const marked = Promise.withResolvers<void>();
      using _watch = disk.watch([mark], () => marked.resolve());
      await disk.remove(mark);
      await marked.promise;
    };
    await tells(async () => {
      const open = await disk.open(file, { write: true });
      await open.write(encode("two"), 0);
      await open.close();
    });
    await tells(() => disk.writeFile(file, encode("three")));
    await tells(() => disk.remove(file));
    await tells(() => disk.writeFile(file, encode("four")));
    await tells(() => disk.writeFile(`${directory}/late`, encode("here")));
    await disk.makeDirectory(`${directory}/deep/below`);
    await tells(() => disk.writeFile(`${directory}/deep/below/deeper`, encode("here")));
    await tells(() => disk.remove(`${directory}/deep`, { recursive: true }));
    await tells(async () => {
      await disk.makeDirectory(`${directory}/deep/below`);
      await disk.writeFile(`${directory}/deep/below/deeper`, encode("again"));
    });
    await settled(`${directory}/mark`);
    const before = count;
    await disk.readFile(file);
    await disk.writeFile(other, encode("changed"));
    await settled(`${directory}/mark`);
    assert.equal(count, before);
    watch[Symbol.dispose]();
    watch[Symbol.dispose]();
    await disk.writeFile(file, encode("five"));
    await settled(`${directory}/mark`);
    assert.equal(count, before);
  },
);

conform("a database keeps what it was told", async (host, directory) => {
  const path = `${directory}/weft.db`;
  const database = await host.db.open(path);
  const insert = "INSERT INTO t VALUES (?, ?, ?)";
  await database.run([
    { sql: "CREATE TABLE t (id INTEGER, name TEXT, data BLOB)" },
    { sql: insert, values: [1, "one", new Uint8Array([1, 2])] },
    { sql: insert, values: [2n ** 62n, null, null] },
  ]);
  await database.close();
  await database.close();
  const again = await host.db.open(path);
  const rows = await again.all({ sql: "SELECT * FROM t WHERE id >= ? ORDER BY id", values: [0] });
  assert.deepEqual(rows.map((row) => ({ ...row })), [
    { id: 1, name: "one", data: new Uint8Array([1, 2]) },
    { id: 2n ** 62n, name: null, data: null },
  ]);
  await again.close();
});

conform("a transaction that fails leaves nothing behind", async (host, directory) => {
  const database = await host.db.open(`${directory}/weft.db`);
  await database.run([{ sql: "CREATE TABLE t (id INTEGER PRIMARY KEY)" }]);
  const insert = { sql: "INSERT INTO t VALUES (?)", values: [1] };
  await assert.rejects(database.run([insert, insert]), /UNIQUE constraint failed/);
  assert.deepEqual(await database.all({ sql: "SELECT * FROM t" }), []);
  await database.run([insert]);
  assert.equal((await database.all({ sql: "SELECT * FROM t" })).length, 1);
  await database.close();
});

conform("a database has one opener at a time", async (host, directory) => {
  const path = `${directory}/weft.db`;
  const database = await host.db.open(path);
  await assert.rejects(
    host.db.open(path),
    (error) => diskFault("denied", path)(error) && /another Weft has it open/.test((error as Error).message),
  );
  await database.close();
  await assert.rejects(database.all({ sql: "SELECT 1" }), DiskError);
  await (await host.db.open(path)).close();
});
