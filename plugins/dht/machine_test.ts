import assert from "node:assert/strict";
import { byteString, parseIp, type PeerAddress, peerAddress, utf8Encode } from "weft";
import { SeededRandom } from "../../core/host/memory/mod.ts";
import { decodeMessage, encodeMessage, type Message } from "./krpc.ts";
import { DhtMachine, type MachineOptions } from "./machine.ts";
import { isSecureId, randomId } from "./node_id.ts";

const random = new SeededRandom(1);
const peer = peerAddress("20.0.0.1", 6881);
const id = randomId(random);
const transaction = utf8Encode("zz");

function machine(more: Partial<MachineOptions> = {}): DhtMachine {
  return new DhtMachine(0, {
    random,
    secure: "prefer",
    readOnly: false,
    budget: { perAddress: 20, total: 200 },
    ...more,
  });
}

/** What it sends, and to whom. */
function sent(from: DhtMachine): { message: Message; to: PeerAddress; length: number }[] {
  const all = [];
  for (let next = from.pollTransmit(); next; next = from.pollTransmit()) {
    all.push({ message: decodeMessage(next.bytes), to: next.to, length: next.bytes.length });
  }
  return all;
}

function query(method: string, more = {}, readOnly = false): Uint8Array {
  return encodeMessage({ kind: "query", transaction, method, arguments: { id, ...more }, readOnly });
}

/** Answers every query that it sent to `from`. */
function answerAll(node: DhtMachine, now: number, from: PeerAddress, reply = {}, seen?: PeerAddress): void {
  for (const { message, to } of sent(node)) {
    if (message.kind !== "query" || to.key !== from.key) continue;
    const { transaction } = message;
    node.handleDatagram(now, encodeMessage({ kind: "reply", transaction, reply: { id, ...reply }, seen }), from);
  }
}

Deno.test("a stranger is asked to prove itself first, with fewer bytes than it sent, and answered then", () => {
  const node = machine();
  const bytes = query("find_node", { target: id });
  node.handleDatagram(0, bytes, peer);
  const [{ message: ping, length }, ...more] = sent(node);
  assert.ok(ping.kind === "query" && ping.method === "ping" && length <= bytes.length && more.length === 0);
  assert.equal(node.size, 0);
  node.handleDatagram(5, encodeMessage({ kind: "reply", transaction: ping.transaction, reply: { id } }), peer);
  const [{ message: reply }] = sent(node);
  assert.ok(reply.kind === "reply" && reply.reply.nodes && byteString(reply.transaction) === "zz");
  assert.equal(node.size, 1);
  node.handleDatagram(10, bytes, peer);
  assert.deepEqual(sent(node).map(({ message }) => message.kind), ["reply"]);
});

Deno.test("a stranger that does not prove itself is answered briefly the next time", () => {
  const node = machine();
  const bytes = query("get_peers", { infoHash: id });
  node.handleDatagram(0, bytes, peer);
  sent(node);
  node.handleTimeout(2_000);
  node.handleTimeout(8_000);
  node.handleDatagram(9_000, bytes, peer);
  const [{ message, length }] = sent(node);
  assert.ok(message.kind === "reply" && message.reply.token && length <= bytes.length);
});

Deno.test("who is read-only is answered briefly at once, is not asked anything, and enters no table", () => {
  const node = machine();
  const bytes = query("get_peers", { infoHash: id }, true);
  node.handleDatagram(0, bytes, peer);
  const [{ message, length }, ...more] = sent(node);
  assert.ok(message.kind === "reply" && message.reply.token && length <= bytes.length && more.length === 0);
  // The token that it shows is a proof too.
  node.handleDatagram(0, query("announce_peer", { infoHash: id, port: 1, token: message.reply.token }, true), peer);
  node.handleDatagram(0, query("get_peers", { infoHash: id }, true), peer);
  const answers = sent(node).map(({ message }) => message);
  assert.ok(answers.every(({ kind }) => kind === "reply"));
  assert.ok(answers[1].kind === "reply" && answers[1].reply.values?.length === 1 && answers[1].seen);
  assert.equal(node.size, 0);
});

Deno.test("two that know each other not at all answer each other's pings", () => {
  const [a, b] = [machine(), machine()];
  const [at, bt] = [peerAddress("20.0.0.2", 1), peerAddress("20.0.1.2", 1)];
  a.join(0, [bt]);
  for (let round = 0; round < 10; round++) {
    for (let next = a.pollTransmit(); next; next = a.pollTransmit()) b.handleDatagram(0, next.bytes, at);
    for (let next = b.pollTransmit(); next; next = b.pollTransmit()) a.handleDatagram(0, next.bytes, bt);
  }
  assert.deepEqual([a.size, b.size], [1, 1]);
});

Deno.test("a read-only node answers nothing and says that it is one", () => {
  const node = machine({ readOnly: true });
  node.handleDatagram(0, query("ping"), peer);
  assert.equal(node.pollTransmit(), undefined);
  node.handleNamed(0, peer);
  const [{ message }] = sent(node);
  assert.ok(message.kind === "query" && message.readOnly);
});

Deno.test("answers that were not asked for, or come from elsewhere, are ignored", () => {
  const node = machine();
  node.handleNamed(0, peer);
  const [{ message }] = sent(node);
  const answer = encodeMessage({ kind: "reply", transaction: message.transaction, reply: { id } });
  node.handleDatagram(0, answer, peerAddress("20.0.0.9", 6881));
  node.handleDatagram(0, encodeMessage({ kind: "reply", transaction, reply: { id } }), peer);
  assert.equal(node.size, 0);
  node.handleDatagram(0, answer, peer);
  assert.equal(node.size, 1);
});

Deno.test("past its budget an address is not answered", () => {
  const node = machine();
  for (let i = 0; i < 1_000; i++) node.handleDatagram(0, query("ping"), peer);
  assert.equal(sent(node).length, 40);
});

Deno.test("a flood from forged addresses does not keep those from being answered who proved themselves", () => {
  const node = machine();
  node.handleNamed(0, peer);
  answerAll(node, 0, peer);
  for (let n = 0; n < 10_000; n++) node.handleDatagram(0, query("ping"), peerAddress(`30.0.${n >> 8}.${n & 255}`, 1));
  assert.equal(sent(node).length, 400);
  node.handleDatagram(0, query("ping"), peer);
  assert.equal(sent(node).length, 1);
});

Deno.test("peers can't make it ping a million addresses", () => {
  const node = machine();
  for (let n = 0; n < 1_000_000; n++) node.handleNamed(0, peerAddress(`20.${n >> 16}.${n >> 8 & 255}.${n & 255}`, 1));
  assert.equal(sent(node).length, 16);
});

Deno.test("what can't be sent fails at once", () => {
  const node = machine();
  let outcome: unknown;
  node.query(0, peer, "ping", {}, (_, result) => void (outcome = result));
  node.handleRefused(0, peer);
  assert.equal(outcome, "no answer");
});

Deno.test("a lookup that nobody answers ends after two seconds, and another way ends within forty", () => {
  const node = machine();
  let ended = -1;
  node.lookup(0, { target: id, method: "get_peers", done: () => void (ended = 0) });
  assert.equal(ended, 0, "without nodes at once");
  node.join(0, [peer], [], () => void (ended = 1));
  while (ended === 0) node.handleTimeout(node.pollTimeout());
  assert.equal(ended, 1);
});

Deno.test("more than 24 lookups wait for each other", () => {
  const node = machine();
  node.families = [4];
  node.handleNamed(0, peer);
  answerAll(node, 0, peer);
  let ended = 0;
  for (let i = 0; i < 30; i++) {
    node.lookup(0, { target: randomId(random), method: "find_node", done: () => void ended++ });
  }
  assert.deepEqual([node.lookups, sent(node).length], [30, 24]);
  node.handleTimeout(2_000);
  assert.equal(ended, 24);
  assert.deepEqual([node.lookups, sent(node).length], [6, 6]);
});

Deno.test("in the place of lookups that were ended early others begin", () => {
  const node = machine();
  node.families = [4];
  node.handleNamed(0, peer);
  answerAll(node, 0, peer);
  const lookups = Array.from(
    { length: 30 },
    () => node.lookup(0, { target: randomId(random), method: "find_node" }),
  );
  assert.equal(sent(node).length, 24);
  for (const lookup of lookups.slice(0, 24)) lookup[Symbol.dispose]();
  node.handleTimeout(100);
  assert.equal(sent(node).length, 6);
});

Deno.test("when enough networks say what our address is, our id comes to fit it", () => {
  for (const [secure, fits] of [["prefer", true], ["off", false]] as const) {
    const node = machine({ secure, ids: { 4: "x".repeat(20) } });
    const ours = peerAddress("203.0.113.77", 6881);
    for (let n = 0; n < 8; n++) {
      const from = peerAddress(`20.0.${n}.1`, 6881);
      node.handleNamed(0, from);
      answerAll(node, 0, from, { id: randomId(random) }, ours);
    }
    const { id, size } = node.known.tables[4];
    assert.equal(isSecureId(id, parseIp(ours.ip)!.bytes), fits);
    assert.equal(size, 8);
  }
});

Deno.test("nodes are asked again after 15 minutes, and go when they stay silent", () => {
  const node = machine();
  node.families = [4];
  node.handleNamed(0, peer);
  answerAll(node, 0, peer);
  let now = 0;
  const pings: number[] = [];
  while (now < 30 * 60_000) {
    now = node.pollTimeout();
    node.handleTimeout(now);
    if (sent(node).some(({ message }) => message.kind === "query" && message.method === "ping")) pings.push(now);
  }
  assert.ok(pings[0] >= 15 * 60_000 && pings[0] <= 15 * 60_000 + 5_000, `${pings}`);
  assert.equal(node.size, 0);
});

Deno.test("with both families a lookup asks for nodes of both, and what it learns of one leads on in the other (BEP 32)", () => {
  const node = machine();
  node.handleNamed(0, peer);
  answerAll(node, 0, peer);
  const six = { id: randomId(random), address: peerAddress("2001:db8::7", 6881) };
  const found: string[] = [];
  node.lookup(0, {
    target: id,
    method: "get_peers",
    replied: ({ values = [] }) => found.push(...values.map((v) => v.key)),
  });
  const [{ message: first, to: asked }] = sent(node);
  assert.ok(first.kind === "query" && asked.key === peer.key);
  assert.deepEqual(first.arguments.want, [4, 6]);
  const lead = { id, nodes6: [six] };
  node.handleDatagram(1, encodeMessage({ kind: "reply", transaction: first.transaction, reply: lead }), peer);
  const [{ message: second, to }] = sent(node);
  assert.ok(second.kind === "query" && to.key === six.address.key);
  assert.equal(second.arguments.id, node.known.tables[6].id);
  const values = [peerAddress("2001:db8::9", 1)];
  const reply = { id: six.id, values };
  node.handleDatagram(2, encodeMessage({ kind: "reply", transaction: second.transaction, reply }), six.address);
  assert.deepEqual(found, ["[2001:db8::9]:1"]);
  assert.equal(node.known.tables[6].size, 1);
});
