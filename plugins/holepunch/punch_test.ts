import assert from "node:assert/strict";
import { type PeerAddress, peerAddress } from "weft";
import { HolepunchError } from "./codec.ts";
import { ANSWER_TIMEOUT, MAX_RELAYS, Punch, type PunchOrder, type PunchPeer, REST } from "./punch.ts";

/** A peer of the tests: `listens` is where it says that it accepts connections. */
interface TestPeer extends PunchPeer {
  readonly name: string;
}

function peer(name: string, ip: string, more: { transport?: string; port?: number; listens?: number } = {}): TestPeer {
  const { transport = "tcp", port = 50_000, listens = 6881 } = more;
  const listening = listens === 0 ? undefined : peerAddress(ip, listens);
  return { name, address: peerAddress(ip, port), transport, listening: () => listening };
}

/** A machine with these peers, who all take messages. */
function punch(...peers: readonly TestPeer[]): Punch<TestPeer> {
  const machine = new Punch<TestPeer>(0);
  for (const each of peers) {
    machine.join(0, each);
    machine.handleOffer(each, true);
  }
  return machine;
}

/** `name: message` or `name: dial`, for each order. */
function told(orders: readonly PunchOrder<TestPeer>[]): string[] {
  return orders.map((order) => {
    if ("dial" in order) return `${order.peer.name}: dial ${order.dial.key}`;
    const { kind, address } = order.send;
    return `${order.peer.name}: ${kind} ${address.key}${order.send.kind === "error" ? ` ${order.send.code}` : ""}`;
  });
}

const a = peer("a", "20.0.0.1");
const b = peer("b", "20.0.0.2");
const c = peer("c", "20.0.0.3");
const d = peer("d", "20.0.0.4");
const hidden = peerAddress("20.0.9.9", 6881);
const nobody = (): boolean => false;

const rendezvous = (address: PeerAddress) => ({ kind: "rendezvous", address }) as const;
const connect = (address: PeerAddress) => ({ kind: "connect", address }) as const;
const error = (address: PeerAddress, code: number) => ({ kind: "error", address, code }) as const;

Deno.test("whoever named an unreachable peer is asked for a meeting first, then others, one after another", () => {
  const machine = punch(a, b, c, d);
  assert.deepEqual(told(machine.handleUnreachable(0, hidden, [c.address.ip])), [`c: rendezvous ${hidden.key}`]);
  assert.equal(machine.pollTimeout(), ANSWER_TIMEOUT);
  assert.deepEqual(machine.handleTimeout(ANSWER_TIMEOUT - 1), []);
  assert.deepEqual(told(machine.handleTimeout(ANSWER_TIMEOUT)), [`a: rendezvous ${hidden.key}`]);
  const refusal = error(hidden, HolepunchError.notConnected);
  assert.deepEqual(told(machine.handleMessage(6_000, a, refusal, nobody)), [`b: rendezvous ${hidden.key}`]);
  assert.equal(MAX_RELAYS, 3);
  assert.deepEqual(machine.handleMessage(7_000, b, refusal, nobody), []);
  assert.equal(machine.pollTimeout(), Infinity);
});

Deno.test("a peer is asked for once, and again only after a rest", () => {
  const machine = punch(a);
  assert.equal(machine.handleUnreachable(0, hidden, []).length, 1);
  machine.handleTimeout(ANSWER_TIMEOUT);
  assert.deepEqual(machine.handleUnreachable(REST - 1, hidden, []), []);
  assert.equal(machine.handleUnreachable(REST, hidden, []).length, 1);
});

Deno.test("who asks turns from relay to relay", () => {
  const machine = punch(a, b);
  const asked = [1, 2, 3, 4].map((n) => told(machine.handleUnreachable(0, peerAddress("20.0.9.9", n), []))[0][0]);
  assert.deepEqual(asked, ["a", "b", "a", "b"]);
});

Deno.test("a peer that nobody could be asked for is asked for once somebody can be", () => {
  const machine = punch();
  assert.deepEqual(machine.handleUnreachable(0, hidden, []), []);
  machine.join(1, a);
  machine.handleOffer(a, true);
  assert.deepEqual(told(machine.handleUnreachable(2, hidden, [])), [`a: rendezvous ${hidden.key}`]);
});

Deno.test("nobody is asked who doesn't take messages, nor for a peer that is connected", () => {
  const machine = punch(a, b);
  machine.handleOffer(a, false);
  assert.deepEqual(told(machine.handleUnreachable(0, hidden, [a.address.ip])), [`b: rendezvous ${hidden.key}`]);
  assert.deepEqual(machine.handleUnreachable(0, peerAddress(a.address.ip, 6881), []), []);
});

Deno.test("what the relay answers is dialed, at another port too, which it may know better", () => {
  for (const address of [hidden, peerAddress(hidden.ip, 40_123)]) {
    const machine = punch(a, b);
    machine.handleUnreachable(0, hidden, []);
    assert.deepEqual(told(machine.handleMessage(50, a, connect(address), nobody)), [`a: dial ${address.key}`]);
    assert.equal(machine.pollTimeout(), Infinity);
  }
});

Deno.test("a peer that doesn't take messages, or is ourselves, is given up, whoever else there is to ask", () => {
  for (const code of [HolepunchError.noSupport, HolepunchError.noSelf]) {
    const machine = punch(a, b);
    machine.handleUnreachable(0, hidden, []);
    assert.deepEqual(machine.handleMessage(50, a, error(hidden, code), nobody), []);
    assert.equal(machine.pollTimeout(), Infinity);
  }
});

Deno.test("answers of those who weren't asked count for nothing", () => {
  const machine = punch(a, b);
  machine.handleUnreachable(0, hidden, []);
  assert.deepEqual(machine.handleMessage(50, b, error(hidden, HolepunchError.noSupport), nobody), []);
  assert.equal(machine.pollTimeout(), ANSWER_TIMEOUT);
});

Deno.test("when the relay leaves, the next one is asked", () => {
  const machine = punch(a, b);
  machine.handleUnreachable(0, hidden, []);
  assert.deepEqual(told(machine.leave(100, a)), [`b: rendezvous ${hidden.key}`]);
  assert.deepEqual(machine.leave(200, b), []);
  assert.deepEqual([machine.size, machine.pollTimeout()], [0, Infinity]);
});

Deno.test("a relay has two peers dial each other where their UDP ports are", () => {
  const mapped = peer("mapped", "20.0.0.8", { transport: "utp", port: 40_123 });
  const machine = punch(a, mapped);
  assert.deepEqual(told(machine.handleMessage(0, a, rendezvous(peerAddress("20.0.0.8", 6881)), nobody)), [
    "mapped: connect 20.0.0.1:6881",
    "a: connect 20.0.0.8:40123",
  ]);
});

Deno.test("a relay says why it can't help", () => {
  const deaf = peer("deaf", "20.0.0.5");
  const six = peer("six", "2600::1");
  const near = peer("near", "10.0.0.7");
  const unknown = peer("unknown", "20.0.0.6", { listens: 0 });
  const machine = punch(a, deaf, six, near, unknown);
  machine.handleOffer(deaf, false);
  const answer = (address: PeerAddress, from = a): string[] =>
    told(machine.handleMessage(0, from, rendezvous(address), ({ port }) => port === 1));
  const { noSuchPeer, notConnected, noSupport, noSelf } = HolepunchError;
  assert.deepEqual(answer(hidden), [`a: error ${hidden.key} ${notConnected}`]);
  assert.deepEqual(answer(deaf.listening()!), [`a: error 20.0.0.5:6881 ${noSupport}`]);
  assert.deepEqual(answer(six.listening()!), [`a: error [2600::1]:6881 ${noSuchPeer}`]);
  assert.deepEqual(answer(a.listening()!), [`a: error 20.0.0.1:6881 ${noSuchPeer}`]);
  assert.deepEqual(answer(unknown.address), [`a: error 20.0.0.6:50000 ${noSuchPeer}`]);
  assert.deepEqual(answer(peerAddress("20.0.0.9", 1)), [`a: error 20.0.0.9:1 ${noSelf}`]);
  assert.deepEqual(
    answer(near.listening()!),
    [`a: error 10.0.0.7:6881 ${notConnected}`],
    "our network is not its business",
  );
});

Deno.test("a target dials who wants to meet it, and doesn't ask for a meeting when that fails", () => {
  const machine = punch(a, b);
  assert.deepEqual(told(machine.handleMessage(0, a, connect(hidden), nobody)), [`a: dial ${hidden.key}`]);
  assert.deepEqual(machine.handleUnreachable(10_000, hidden, []), []);
  assert.deepEqual(machine.handleMessage(0, a, connect(b.listening()!), nobody), [], "it is connected");
});

Deno.test("a flood of connect messages leads to few dials, also when its senders come back", () => {
  const machine = punch();
  let dials = 0;
  for (let round = 0; round < 100; round++) {
    const flooder = peer("flooder", "20.0.0.7", { port: 1_000 + round });
    machine.join(0, flooder);
    let own = 0;
    for (let n = 1; n <= 100; n++) {
      own += machine.handleMessage(0, flooder, connect(peerAddress(`20.1.${round}.${n}`, 80)), nobody).length;
    }
    assert.ok(own <= 10);
    dials += own;
    machine.leave(0, flooder);
  }
  assert.equal(dials, 50);
});

Deno.test("a flood of rendezvous messages makes no more of them, and spares whom it aims at", () => {
  const machine = punch(b);
  let connects = 0;
  for (let round = 0; round < 20; round++) {
    const flooder = peer("flooder", `20.2.0.${round + 1}`);
    machine.join(0, flooder);
    machine.handleOffer(flooder, true);
    let answers = 0;
    for (let n = 0; n < 1_000; n++) {
      const orders = told(machine.handleMessage(0, flooder, rendezvous(b.listening()!), nobody));
      connects += orders.filter((order) => order.startsWith("b: connect")).length;
      answers += orders.filter((order) => order.startsWith("flooder")).length;
    }
    assert.ok(answers <= 30);
  }
  assert.equal(connects, 30);
});

Deno.test("thousands of unreachable peers neither fill memory nor flood the relays", () => {
  const machine = punch(a, b, c);
  let asked = 0;
  for (let n = 0; n < 5_000; n++) {
    asked += machine.handleUnreachable(n, peerAddress(`20.3.${n >> 8}.${n & 255}`, 6881), []).length;
  }
  assert.ok(asked <= 20, `${asked} asked`);
  assert.deepEqual(machine.handleMessage(0, d, rendezvous(hidden), nobody), [], "it never joined");
});
