import assert from "node:assert/strict";
import { decode, decodePeers4, decodePeers6, formatIp, parsePeerAddress, utf8Decode } from "weft";
import { HttpTracker } from "./http.ts";
import { testTracker } from "./test_tracker.ts";
import type { TrackerSettings } from "./tracker.ts";

const least = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-XX0001-";

/** A server, and a client at `ip` that asks it. */
function served(changes: Partial<TrackerSettings> = {}) {
  const statistics = () => ({ figures: server.figures });
  const server: HttpTracker = new HttpTracker({ tracker: testTracker(changes), clock: { now: () => 0 }, statistics });
  const get = async (path: string, ip = "192.0.2.1") =>
    await server.handle(new Request(`http://t.example${path}`), parsePeerAddress(`${ip}:5000`));
  const ask = async (path: string, ip?: string) =>
    decode(new Uint8Array(await (await get(path, ip)).arrayBuffer())) as Map<string, unknown>;
  return { server, get, ask };
}

const announce = (id: string, port: number, more = ""): string =>
  `/announce?${least}${id.padEnd(12, "a")}&port=${port}&left=1${more}`;
const text = (value: unknown): string => utf8Decode(value as Uint8Array);

Deno.test("peers announce and are told of each other, compactly, and where they were seen (BEP 24)", async () => {
  const { ask } = served();
  await ask(announce("one", 7001), "192.0.2.1");
  await ask(announce("six", 7006), "[2001:db8::1]");
  const answer = await ask(announce("two", 7002), "192.0.2.2");
  assert.deepEqual(decodePeers4(answer.get("peers") as Uint8Array).map(({ key }) => key), ["192.0.2.1:7001"]);
  assert.equal(answer.has("peers6"), false);
  assert.equal(formatIp(answer.get("external ip") as Uint8Array), "192.0.2.2");
  assert.deepEqual(["complete", "incomplete", "downloaded", "min interval"].map((key) => answer.get(key)), [
    0,
    3,
    0,
    60,
  ]);
  assert.ok(Math.abs(answer.get("interval") as number - 1_800) <= 180);
  const both = await ask(announce("ten", 7010), "[2001:db8::2]");
  assert.equal(decodePeers4(both.get("peers") as Uint8Array).length, 2);
  assert.deepEqual(decodePeers6(both.get("peers6") as Uint8Array).map(({ key }) => key), ["[2001:db8::1]:7006"]);
});

Deno.test("who asks for no compact list gets dictionaries, with ids unless it wants none", async () => {
  const { ask } = served();
  await ask(announce("one", 7001));
  await ask(announce("six", 7006), "[2001:db8::1]");
  const list = async (more: string) =>
    ((await ask(announce("two", 7002, more), "[2001:db8::2]")).get("peers") as Map<string, unknown>[])
      .map((peer) => [text(peer.get("ip")), peer.get("port"), peer.has("peer id") && text(peer.get("peer id"))]);
  assert.deepEqual(await list("&compact=0"), [
    ["192.0.2.1", 7001, "-XX0001-oneaaaaaaaaa"],
    ["2001:db8::1", 7006, "-XX0001-sixaaaaaaaaa"],
  ]);
  assert.deepEqual(await list("&compact=0&no_peer_id=1"), [["192.0.2.1", 7001, false], ["2001:db8::1", 7006, false]]);
});

Deno.test("a scrape of several torrents tells of those that somebody is in (BEP 48)", async () => {
  const { ask } = served();
  await ask(announce("one", 7001, "&event=paused"));
  const answer = await ask("/scrape?info_hash=bbbbbbbbbbbbbbbbbbbb&info_hash=aaaaaaaaaaaaaaaaaaaa");
  const files = answer.get("files") as Map<string, Map<string, unknown>>;
  assert.deepEqual([...files.keys()], ["a".repeat(20)]);
  assert.deepEqual(Object.fromEntries(files.get("a".repeat(20))!), {
    complete: 0,
    downloaded: 0,
    downloaders: 0,
    incomplete: 1,
  });
});

Deno.test("every request that can't be served is answered with why, and when to try again (BEP 31)", async () => {
  const { ask, server } = served({ allow: new Set(), requestsPerSecond: 1 });
  const why = async (path: string) => {
    const answer = await ask(path);
    const retry = answer.get("retry in");
    return [text(answer.get("failure reason")), retry instanceof Uint8Array ? text(retry) : retry];
  };
  assert.deepEqual(await why(announce("one", 1)), ["this tracker does not serve that torrent", "never"]);
  assert.deepEqual(await why("/announce"), ["port must be 0 to 65535", undefined]);
  assert.match(String(await why(`/announce?info_hash=%&port=1`)), /info_hash must be 20 bytes/);
  assert.match(String(await why("/scrape")), /a scrape takes an info_hash/);
  for (let i = 0; i < 9; i++) await why(announce("one", 1));
  assert.deepEqual(await why(announce("one", 1)), ["too many requests from your address", 1]);
  assert.equal(server.figures.malformed, 3);
});

Deno.test("statistics and what it is stand there to be read; nothing else does", async () => {
  const { get, server } = served();
  assert.match(await (await get("/")).text(), /This is a BitTorrent tracker/);
  assert.deepEqual(await (await get("/stats")).json(), { figures: { requests: 2, malformed: 0 } });
  assert.equal((await get("/elsewhere")).status, 404);
  const post = new Request("http://t.example/announce", { method: "POST", body: "x" });
  assert.equal((await server.handle(post, parsePeerAddress("192.0.2.1:1"))).status, 404);
  assert.equal((await server.handle(new Request("http://t.example/announce"))).status, 400);
});
