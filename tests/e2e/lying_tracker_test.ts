import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { AnnounceAnswer } from "../../core/api/mod.ts";
import { denoHost } from "../../core/host/deno/mod.ts";
import { createPluginNet } from "../../core/net/plugin_net.ts";
import { Egress } from "../../core/net/egress.ts";
import { encode, InfoHash, torrentId, utf8Encode } from "../../core/wire/mod.ts";
import { httpTracker } from "../../plugins/tracker_http/mod.ts";

/** What a lying tracker sends, part by part, once it was asked. */
type Lie = () => Generator<Uint8Array | string>;

const head = (...fields: string[]): string => ["HTTP/1.1 200 OK", ...fields, "", ""].join("\r\n");
const megabyte = new Uint8Array(2 ** 20);

/** Announces over real sockets to a tracker on loopback that answers with `lie`. */
async function announce(lie: Lie): Promise<AnnounceAnswer> {
  const host = denoHost();
  const scope = new AbortController();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const serving = serve(listener, lie);
  try {
    const egress = new Egress({ allow: [`127.0.0.1:${port}`] });
    const net = createPluginNet({ host, egress, scopeSignal: scope.signal });
    const tracker = httpTracker({
      net,
      clock: host.clock,
      config: { timeout: 20_000, user_agent: "Weft", numwant: 50 },
    });
    const infoHash = new Uint8Array(20);
    return await tracker.announce({
      url: new URL(`http://127.0.0.1:${port}/announce`),
      id: torrentId({ v1: InfoHash.from(infoHash) }),
      infoHash,
      peerId: new Uint8Array(20),
      port: 6881,
      uploaded: 0,
      downloaded: 0,
      left: 1,
      wanted: 50,
      key: 1,
    }, scope.signal);
  } finally {
    scope.abort();
    listener.close();
    await serving;
    await host.close();
  }
}

async function serve(listener: Deno.Listener, lie: Lie): Promise<void> {
  const served: Promise<void>[] = [];
  try {
    for await (const connection of listener) served.push(answer(connection, lie));
  } catch { /* closed */ }
  await Promise.all(served);
}

async function answer(connection: Deno.Conn, lie: Lie): Promise<void> {
  using open = connection;
  try {
    await open.read(new Uint8Array(4096));
    for (const part of lie()) {
      const bytes = typeof part === "string" ? utf8Encode(part) : part;
      for (let at = 0; at < bytes.length;) at += await open.write(bytes.subarray(at));
    }
  } catch { /* it hung up on us, as it should */ }
}

function body(bytes: Uint8Array, ...fields: string[]): Lie {
  return function* () {
    yield head(`Content-Length: ${bytes.length}`, ...fields);
    yield bytes;
  };
}

const redirect = (to: string): Lie => () =>
  [`HTTP/1.1 302 Found\r\nLocation: ${to}\r\n\r\n`][Symbol.iterator]() as never;

/** A real test: sockets, and nothing left open. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true });
}

function refused(name: string, lie: Lie, expected: RegExp): void {
  test(`a tracker that sends ${name} fails its announce, and nothing else`, async () => {
    const before = Deno.memoryUsage().rss;
    await assert.rejects(announce(lie), expected);
    assert.ok(Deno.memoryUsage().rss - before < 200 * 2 ** 20, "it filled memory");
  });
}

refused("a body without end", function* () {
  yield head();
  while (true) yield megabyte;
}, /larger than 1048576 bytes/);
refused("chunks without end", function* () {
  yield head("Transfer-Encoding: chunked");
  while (true) yield "1\r\nx\r\n".repeat(10_000);
}, /larger than 1048576 bytes/);
refused("a chunk of 2^48 bytes", function* () {
  yield head("Transfer-Encoding: chunked") + "ffffffffffff\r\n";
  while (true) yield megabyte;
}, /larger than 1048576 bytes/);
refused("a gzip bomb of 100 MB", body(gzipSync(new Uint8Array(1e8)), "Content-Encoding: gzip"), /larger than 1048576/);
refused("a bomb twice packed", body(gzipSync(gzipSync(new Uint8Array(1e8))), "Content-Encoding: gzip"), /Cannot read/);
refused("what is no gzip", body(megabyte.slice(0, 1000), "Content-Encoding: gzip"), /Cannot fetch/);
refused("a head without end", function* () {
  yield "HTTP/1.1 200 OK\r\n";
  while (true) yield "X: y\r\n".repeat(1000);
}, /more than 256 header fields/);
refused("a line without end", function* () {
  while (true) yield megabyte;
}, /a line is too long/);
refused("100 interim responses", function* () {
  yield "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
}, /too many interim responses/);
refused("no HTTP", function* () {
  yield "d8:intervali1800e5:peers0:e\r\n";
}, /expected a status line/);
refused("nothing", function* () {}, /the connection ended in its head/);
refused("a lying length", body(new Uint8Array(10), "Content-Length: 99999999999999999999"), /content-length/);
refused("binary junk", body(crypto.getRandomValues(new Uint8Array(50_000))), /Cannot read the tracker's answer/);
refused("a web page", body(utf8Encode("<!doctype html><title>Parked</title>")), /Cannot read the tracker's answer/);
refused("a redirect to itself", redirect("/announce"), /more than 5 redirects/);
for (const target of ["http://169.254.169.254/latest/meta-data", "http://0/", "http://224.0.0.1/"]) {
  refused(`a redirect to ${target}`, redirect(target), /Cannot connect to .*not allowed.*under egress.allow/);
}
refused("a redirect to a file", redirect("file:///etc/passwd"), /only http and https are allowed/);
refused("a redirect to nowhere", redirect("http://[/"), /redirects to what is no URL/);

test("a tracker that names 10^5 peers is heard, and not all of them", async () => {
  const peers = new Uint8Array(6 * 100_000).fill(9);
  assert.equal((await announce(body(encode({ interval: 0, peers })))).peers.length, 2000);
});

test("a tracker that names 10^6 peers is refused as too large", async () => {
  await assert.rejects(announce(body(encode({ peers: new Uint8Array(6_000_000).fill(9) }))), /larger than 1048576/);
});
