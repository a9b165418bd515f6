import assert from "node:assert/strict";
import { encode, parsePeerAddress, type PeerAddress, utf8Encode } from "weft";
import { SeededRandom } from "../../core/host/memory/mod.ts";
import { ItemStore, itemTarget } from "./items.ts";
import { type Arguments, decodeMessage, encodeMessage, ERROR, type Reply } from "./krpc.ts";
import { randomId } from "./node_id.ts";
import { PeerStore } from "./peer_store.ts";
import { answer, type Knowledge, trimmed } from "./responder.ts";
import { RoutingTable } from "./routing_table.ts";
import { Tokens } from "./tokens.ts";

const random = new SeededRandom(1);
const id = randomId(random);
const swarm = "s".repeat(20);
const a4 = parsePeerAddress("192.0.2.1:6881");
const a6 = parsePeerAddress("[2001:db8::1]:6881");

function knowledge(): Knowledge {
  const tables = { 4: new RoutingTable(randomId(random), "off"), 6: new RoutingTable(randomId(random), "off") };
  for (let n = 0; n < 20; n++) {
    tables[4].answered(0, { id: randomId(random), address: parsePeerAddress(`20.0.${n}.1:1`) });
    tables[6].answered(0, { id: randomId(random), address: parsePeerAddress(`[2001:db8:${n + 1}::1]:1`) });
  }
  return { tables, tokens: new Tokens(0, random), peers: new PeerStore(random), items: new ItemStore() };
}

function ask(known: Knowledge, method: string, args: Arguments, from: PeerAddress = a4) {
  const query = { kind: "query", transaction: utf8Encode("aa"), method, arguments: { id, ...args } } as const;
  return answer(0, query, from, known);
}

function reply(...args: Parameters<typeof ask>): Reply {
  const message = ask(...args);
  assert.ok(message.kind === "reply", JSON.stringify(message));
  return message.reply;
}

function code(...args: Parameters<typeof ask>): number | undefined {
  const message = ask(...args);
  return message.kind === "error" ? message.code : undefined;
}

Deno.test("ping gives the id of the family's table, and the asker's address", () => {
  const known = knowledge();
  for (const from of [a4, a6]) {
    const message = ask(known, "ping", {}, from);
    assert.ok(message.kind === "reply" && message.reply.id === known.tables[from.family].id);
    assert.equal(message.seen, from);
  }
});

Deno.test("find_node gives 8 nodes of the asker's family, or of those it wants", () => {
  const known = knowledge();
  const counts = (from: PeerAddress, want?: (4 | 6)[]): (number | undefined)[] => {
    const { nodes, nodes6 } = reply(known, "find_node", { target: swarm, want }, from);
    return [nodes?.length, nodes6?.length];
  };
  assert.deepEqual(counts(a4), [8, undefined]);
  assert.deepEqual(counts(a6), [undefined, 8]);
  assert.deepEqual(counts(a4, [4, 6]), [8, 8]);
  assert.deepEqual(counts(a4, [6]), [undefined, 8]);
});

Deno.test("get_peers gives a token, nodes, and peers of the asker's family; announce_peer adds one", () => {
  const known = knowledge();
  const { token, values, nodes } = reply(known, "get_peers", { infoHash: swarm });
  assert.ok(token && nodes!.length === 8 && values === undefined);
  reply(known, "announce_peer", { infoHash: swarm, port: 7, token });
  reply(known, "announce_peer", { infoHash: swarm, port: 7, impliedPort: true, seed: true, token });
  const found = reply(known, "get_peers", { infoHash: swarm }).values!.map(({ key }) => key).sort();
  assert.deepEqual(found, ["192.0.2.1:6881", "192.0.2.1:7"]);
  const leechers = reply(known, "get_peers", { infoHash: swarm, noseed: true }).values!.map(({ key }) => key);
  assert.deepEqual(leechers, ["192.0.2.1:7"]);
  assert.equal(reply(known, "get_peers", { infoHash: swarm }, a6).values, undefined);
  const scraped = reply(known, "get_peers", { infoHash: swarm, scrape: true });
  assert.ok(scraped.seeds && scraped.peers && !scraped.values);
  assert.deepEqual(reply(known, "sample_infohashes", { target: swarm }).samples, [swarm]);
});

Deno.test("announce_peer and put want the token of their own address", () => {
  const known = knowledge();
  const { token } = reply(known, "get_peers", { infoHash: swarm });
  const other = parsePeerAddress("192.0.2.9:6881");
  assert.equal(code(known, "announce_peer", { infoHash: swarm, port: 7, token }, other), ERROR.protocol);
  assert.equal(code(known, "announce_peer", { infoHash: swarm, port: 7 }), ERROR.protocol);
  assert.equal(code(known, "announce_peer", { infoHash: swarm, port: 0, token }), ERROR.protocol);
  assert.equal(code(known, "announce_peer", { infoHash: swarm, port: 65_536, token }), ERROR.protocol);
  assert.equal(code(known, "put", { v: encode("x"), token }, other), ERROR.protocol);
  assert.equal(known.peers.size + known.items.size, 0);
});

Deno.test("put stores what get gives, which says seq alone to who has it", () => {
  const known = knowledge();
  const v = encode("hello");
  const { token } = reply(known, "get", { target: itemTarget({ v }) });
  reply(known, "put", { v, token });
  assert.deepEqual(reply(known, "get", { target: itemTarget({ v }) }).v, v);
  assert.equal(code(known, "put", { v: new Uint8Array(1001), token }), ERROR.tooBig);
});

Deno.test("a query without what it needs is error 203, an unknown one 204 unless it has a target", () => {
  const known = knowledge();
  for (const method of ["find_node", "get_peers", "announce_peer", "get", "sample_infohashes"]) {
    assert.equal(code(known, method, {}), ERROR.protocol, method);
  }
  assert.equal(code(known, "ping", { id: undefined }), ERROR.protocol);
  assert.equal(code(known, "nonsense", {}), ERROR.method);
  assert.equal(reply(known, "nonsense", { target: swarm }).nodes!.length, 8);
});

Deno.test("trimmed() keeps the id, then the token, peers and a node, in as many bytes as there are", () => {
  const known = knowledge();
  for (let n = 0; n < 60; n++) known.peers.announce(0, swarm, parsePeerAddress(`20.1.${n}.1:1`), false);
  const full = ask(known, "get_peers", { infoHash: swarm });
  let before = 0;
  for (let most = 0; most < 1_000; most++) {
    const bytes = trimmed(full, most);
    assert.ok((bytes?.length ?? 0) <= most);
    assert.ok((bytes?.length ?? 0) >= before);
    before = bytes?.length ?? 0;
  }
  assert.deepEqual(trimmed(full, 1_000), encodeMessage(full));
  const typical = decodeMessage(trimmed(full, 104)!);
  assert.ok(typical.kind === "reply" && typical.reply.token && typical.reply.values!.length > 0);
  const alone = decodeMessage(trimmed(ask(known, "find_node", { target: swarm }), 104)!);
  assert.ok(alone.kind === "reply" && alone.reply.nodes!.length === 1);
  assert.equal(trimmed(full, 40), undefined);
  const error = trimmed(ask(known, "nonsense", {}), 36);
  assert.ok(error && error.length <= 36);
});
