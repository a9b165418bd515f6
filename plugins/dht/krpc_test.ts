import assert from "node:assert/strict";
import {
  byteString,
  type Encodable,
  encode,
  fromByteString,
  parsePeerAddress,
  ProtocolError,
  scan,
  utf8Encode,
} from "weft";
import { decodeMessage, encodeMessage, type Message } from "./krpc.ts";

const id = "abcdefghij0123456789";
const other = "mnopqrstuvwxyz123456";
const transaction = utf8Encode("aa");
const fixtures = new URL("../../tests/fixtures/dht/", import.meta.url);

/** The message without what is undefined in it. */
function plain(message: Message): unknown {
  return JSON.parse(JSON.stringify(message, (_, value) => value instanceof Uint8Array ? [...value] : value));
}

function fixture(name: string): Message {
  return decodeMessage(Deno.readFileSync(new URL(`${name}.krpc`, fixtures)));
}

Deno.test("encodeMessage() writes the examples of BEP 5 byte for byte", () => {
  const examples: [Message, string][] = [
    [
      { kind: "query", transaction, method: "ping", arguments: { id } },
      "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
    ],
    [
      { kind: "query", transaction, method: "find_node", arguments: { id, target: other } },
      "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
    ],
    [
      { kind: "reply", transaction, reply: { id: other, nodes: [] } },
      "d1:rd2:id20:mnopqrstuvwxyz1234565:nodes0:e1:t2:aa1:y1:re",
    ],
    [
      {
        kind: "query",
        transaction,
        method: "announce_peer",
        arguments: { id, infoHash: other, port: 6881, impliedPort: true, token: utf8Encode("aoeusnth") },
      },
      "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
    ],
    [
      { kind: "error", transaction, code: 201, text: "A Generic Error Ocurred" },
      "d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
    ],
  ];
  for (const [message, text] of examples) {
    assert.equal(new TextDecoder().decode(encodeMessage(message)), text);
    assert.deepEqual(encodeMessage(decodeMessage(utf8Encode(text))), utf8Encode(text));
  }
});

Deno.test("every field comes back as it was written, with keys in order", () => {
  const item = {
    v: encode({ a: [1, "b"] }),
    k: new Uint8Array(32).fill(1),
    sig: new Uint8Array(64).fill(2),
    seq: 7,
    salt: utf8Encode("salt"),
    cas: 6,
  };
  const query: Message = {
    kind: "query",
    transaction,
    method: "put",
    readOnly: true,
    arguments: {
      ...item,
      id,
      target: other,
      infoHash: other,
      port: 1,
      impliedPort: true,
      token: transaction,
      want: [4, 6],
      scrape: true,
      noseed: true,
      seed: true,
    },
  };
  const { salt: _, cas: __, ...stored } = item;
  const [v4, v6] = ["192.0.2.1:6881", "[2001:db8::1]:6881"].map(parsePeerAddress);
  const reply: Message = {
    kind: "reply",
    transaction,
    seen: v4,
    reply: {
      ...stored,
      id,
      nodes: [{ id, address: v4 }],
      nodes6: [{ id: other, address: v6 }],
      token: transaction,
      values: [v4, v6],
      seeds: new Uint8Array(256).fill(3),
      peers: new Uint8Array(256).fill(4),
      interval: 60,
      num: 2,
      samples: [id, other],
    },
  };
  for (const message of [query, reply]) {
    const bytes = encodeMessage(message);
    scan(bytes, { sorted: true });
    assert.deepEqual(plain(decodeMessage(bytes)), plain(message));
  }
});

Deno.test("decodeMessage() reads what libtorrent and bittorrent-dht send", () => {
  const hash = "\xab".repeat(20);
  for (const client of ["libtorrent", "bittorrent_dht"]) {
    const announce = fixture(`${client}_announce_peer_query`);
    assert.ok(announce.kind === "query" && announce.method === "announce_peer");
    assert.equal(announce.arguments.infoHash, hash);
    assert.ok(announce.arguments.port! > 0 && announce.arguments.token!.length > 0);
    const values = fixture(`${client}_get_peers_values_reply`);
    assert.ok(values.kind === "reply" && values.reply.values!.length > 0 && values.reply.token);
    const nodes = fixture(`${client}_get_peers_nodes_reply`);
    assert.ok(nodes.kind === "reply" && nodes.reply.nodes!.length >= 8);
    const error = fixture(`${client}_put_error`);
    assert.ok(error.kind === "error" && error.code > 200 && error.text.length > 0);
    const mutable = fixture(`${client}_get_mutable_reply`);
    assert.ok(mutable.kind === "reply" && mutable.reply.seq === 1 && mutable.reply.sig?.length === 64);
    assert.equal(new TextDecoder().decode(mutable.reply.v), "2:hi");
  }
  const six = fixture("libtorrent_get_nodes_reply_ipv6");
  assert.ok(six.kind === "reply" && six.reply.nodes6!.every(({ address }) => address.family === 6));
  assert.equal(six.kind === "reply" && six.seen?.family, 6);
  const scrape = fixture("libtorrent_get_peers_scrape_reply");
  assert.ok(scrape.kind === "reply" && scrape.reply.seeds && scrape.reply.peers);
  const sample = fixture("libtorrent_sample_reply");
  assert.ok(sample.kind === "reply" && sample.reply.samples!.includes(hash) && sample.reply.interval! >= 0);
});

Deno.test("encodeMessage() writes again every fixture that has no keys of its own", () => {
  for (const { name } of Deno.readDirSync(fixtures)) {
    if (!/^bittorrent_dht_.*_(query|error)\.krpc$/.test(name)) continue;
    const bytes = Deno.readFileSync(new URL(name, fixtures));
    const again = decodeMessage(encodeMessage(decodeMessage(bytes)));
    assert.deepEqual(plain(again), plain(decodeMessage(bytes)), name);
  }
});

Deno.test("decodeMessage() takes arguments of a wrong kind as missing", () => {
  const message = decodeMessage(
    encode({ t: "a", y: "q", q: "get_peers", a: { id: 7, info_hash: "short", port: "x", token: ["y"], want: "n4" } }),
  );
  assert.ok(message.kind === "query");
  const { id, infoHash, port, token, want } = message.arguments;
  assert.deepEqual([id, infoHash, port, token, want], [undefined, undefined, undefined, undefined, undefined]);
  assert.ok(decodeMessage(encode({ t: "a", y: "q" })).kind === "query");
});

Deno.test("decodeMessage() loses no more of a reply than the key that is flawed", () => {
  const id = fromByteString(other);
  const [one, sample] = [new Uint8Array(26).fill(1), new Uint8Array(20).fill(2)];
  const good = { id, token: "t", nodes: one, values: [new Uint8Array(6).fill(3)], samples: sample, interval: 9 };
  const reply = (r: Record<string, Encodable>): Record<string, unknown> => {
    const message = decodeMessage(fromByteString(`${byteString(encode({ t: "a", y: "r", r, ip: "odd" }))}\n`));
    assert.ok(message.kind === "reply");
    return { ...message.reply };
  };
  const whole = reply(good);
  for (const key of ["token", "nodes", "values", "samples", "interval"]) {
    for (const garbage of ["", -1, [], [1], { x: 1 }, 2n ** 63n]) {
      assert.deepEqual({ ...reply({ ...good, [key]: garbage }), [key]: 0 }, { ...whole, [key]: 0 }, key);
    }
  }
  const stray = (bytes: Uint8Array): Uint8Array => Uint8Array.of(...bytes, 7);
  const values = ["odd", 1, good.values[0]];
  assert.deepEqual(reply({ ...good, nodes: stray(one), samples: stray(sample), values }), whole);
});

Deno.test("decodeMessage() refuses what is no message", () => {
  const id = fromByteString(other);
  for (
    const value of [
      [],
      { y: "q" },
      { t: new Uint8Array(21), y: "q" },
      { t: "a", y: "x" },
      { t: "a", y: "r" },
      { t: "a", y: "r", r: { id: "short" } },
      { t: "a", y: "r", r: { id, values: new Array(3000).fill("") } },
    ]
  ) {
    assert.throws(() => decodeMessage(encode(value)), ProtocolError);
  }
  assert.throws(() => decodeMessage(new Uint8Array(5000)), ProtocolError);
});
