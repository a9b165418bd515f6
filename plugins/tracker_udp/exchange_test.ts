import assert from "node:assert/strict";
import {
  decodeUdpTrackerRequest,
  encodeUdpTrackerReply,
  parsePeerAddress,
  type UdpAnnounceRequest,
  type UdpTrackerReply,
  type UdpTrackerRequest,
} from "weft";
import { SeededRandom } from "../../core/host/memory/random.ts";
import { BURST, QUERY_GAP, UdpExchange, type UdpOutcome, type UdpQuery } from "./exchange.ts";

const HOUR = 3_600_000;
const tracker = parsePeerAddress("203.0.113.1:6969");
const peers = [parsePeerAddress("198.51.100.7:6881")];

function announce(fill = 1): UdpQuery {
  const [infoHash, peerId] = [new Uint8Array(20).fill(fill), new Uint8Array(20).fill(2)];
  return { action: "announce", infoHash, peerId, downloaded: 0, left: 1, uploaded: 0, key: 3, port: 6881 };
}

/** An exchange in plain time; `answer` says what comes back at once, if anything. */
function bench(answer: (request: UdpTrackerRequest, now: number) => UdpTrackerReply | undefined, timeout = 30_000) {
  const exchange = new UdpExchange({ random: new SeededRandom(1), timeout });
  const sent: { at: number; request: UdpTrackerRequest }[] = [];
  const outcomes: UdpOutcome[] = [];
  let now = 0;
  const turn = (): void => {
    exchange.handleTimeout(now);
    for (let next; (next = exchange.pollTransmit(now));) {
      const request = decodeUdpTrackerRequest(next.bytes);
      sent.push({ at: now, request });
      const reply = answer(request, now);
      if (reply) exchange.handleDatagram(now, encodeUdpTrackerReply(reply, next.to.family), next.to);
    }
    for (let next; (next = exchange.pollOutcome());) outcomes.push(next);
  };
  return {
    exchange,
    sent,
    outcomes,
    log: () => sent.map(({ at, request }) => `${at / 1000} ${request.action}`),
    ask: (query = announce(), to = tracker) => exchange.ask(now, to, query),
    /** Lets time pass up to `until`. */
    run(until: number): void {
      for (;;) {
        turn();
        const next = exchange.pollTimeout(now);
        if (next === undefined || next > until) break;
        assert.ok(next > now, `it asks to be called at ${next}, which is ${now}`);
        now = next;
      }
      now = until;
    },
  };
}

/** A tracker that works; its connection ids count up. */
function working() {
  let id = 100n;
  return (request: UdpTrackerRequest): UdpTrackerReply => {
    const { transactionId } = request;
    if (request.action === "connect") return { action: "connect", transactionId, connectionId: ++id };
    if (request.action === "announce") {
      return { action: "announce", transactionId, interval: 1800, leechers: 1, seeders: 2, peers };
    }
    const swarms = request.infoHashes.map(([first]) => ({ seeders: first, completed: 0, leechers: 0 }));
    return { action: "scrape", transactionId, swarms };
  };
}

Deno.test("UdpExchange connects, asks with the connection id, and tells the answer", () => {
  const { ask, run, sent, outcomes } = bench(working());
  const query = ask();
  run(1);
  assert.deepEqual(sent.map(({ request }) => request.action), ["connect", "announce"]);
  const { connectionId, infoHash } = sent[1].request as UdpAnnounceRequest;
  assert.equal(connectionId, 101n);
  assert.deepEqual(infoHash, new Uint8Array(20).fill(1));
  const [outcome] = outcomes;
  assert.ok("reply" in outcome && outcome.reply.action === "announce");
  assert.equal(outcome.query, query);
  assert.deepEqual(outcome.reply.peers, peers);
});

Deno.test("UdpExchange uses a connection id for one minute, for all swarms, and one for each address", () => {
  const { ask, run, log, sent, outcomes } = bench(working());
  ask(announce(1));
  ask(announce(2));
  run(59_999);
  ask(announce(3));
  run(60_000);
  ask(announce(4));
  run(60_001);
  ask(announce(5), parsePeerAddress("[2001:db8::1]:6969"));
  run(60_002);
  assert.equal(outcomes.length, 5);
  assert.deepEqual(log(), [
    ...["0 connect", "0 announce", "0 announce", "59.999 announce"],
    ...["60 connect", "60 announce", "60.001 connect", "60.001 announce"],
  ]);
  const transactions = new Set(sent.map(({ request }) => request.transactionId));
  assert.equal(transactions.size, 8);
});

Deno.test("UdpExchange sends a connect again after 15 × 2^n seconds, n up to 8", () => {
  const { ask, run, sent } = bench(() => undefined, 100 * HOUR);
  ask();
  run(5 * HOUR);
  const gaps = sent.slice(1).map(({ at }, i) => (at - sent[i].at) / 1000);
  assert.deepEqual(gaps, [15, 30, 60, 120, 240, 480, 960, 1920, 3840, 3840, 3840]);
  assert.equal(new Set(sent.map(({ request }) => request.transactionId)).size, 1);
});

Deno.test("UdpExchange sends an announce again, and asks for a new connection id once that has expired", () => {
  const reply = working();
  const { ask, run, log } = bench((request) => request.action === "connect" ? reply(request) : undefined, HOUR);
  ask();
  run(104_000);
  // As in BEP 15's examples; the reply to the second connect begins the waits anew.
  assert.deepEqual(log(), ["0 connect", "0 announce", "15 announce", "45 announce"]);
  run(106_000);
  assert.deepEqual(log().slice(4), ["105 connect", "105 announce"]);
});

Deno.test("UdpExchange goes on with longer waits where it left them when a connection id expired", () => {
  const reply = working();
  let connects = 0;
  const lost = (request: UdpTrackerRequest) =>
    request.action === "connect" && connects++ === 0 ? reply(request) : undefined;
  const { ask, run, log } = bench(lost, HOUR);
  ask();
  run(500_000);
  assert.deepEqual(log(), [
    "0 connect",
    "0 announce",
    "15 announce",
    "45 announce",
    "105 connect",
    "225 connect",
    "465 connect",
  ]);
});

Deno.test("UdpExchange gives a silent tracker up after the timeout, and remembers that", () => {
  const { exchange, ask, run, log, outcomes } = bench(() => undefined);
  const query = ask();
  run(29_999);
  assert.deepEqual(outcomes, []);
  run(30_000);
  assert.deepEqual(outcomes, [{ query, silent: true }]);
  assert.deepEqual(log(), ["0 connect", "15 connect"]);
  assert.equal(exchange.silentAt(tracker), 30_000);
  assert.equal(exchange.pollTimeout(30_000), undefined);
});

Deno.test("UdpExchange reaches a tracker although many datagrams are lost", () => {
  const reply = working();
  const random = new SeededRandom(7);
  let answered = 0;
  for (let i = 0; i < 200; i++) {
    const { ask, run, outcomes } = bench((request) => random.below(100) < 30 ? undefined : reply(request), 90_000);
    ask();
    run(HOUR);
    assert.equal(outcomes.length, 1);
    if ("reply" in outcomes[0]) answered++;
  }
  assert.ok(answered > 180, `${answered} of 200`);
});

Deno.test("UdpExchange ignores answers from elsewhere, with another transaction id, or before it asked", () => {
  const { exchange, ask, run, outcomes, sent } = bench(() => undefined);
  ask();
  run(1);
  const { transactionId } = sent[0].request;
  const bytes = encodeUdpTrackerReply({ action: "connect", transactionId, connectionId: 1n }, 4);
  for (const from of ["203.0.113.2:6969", "203.0.113.1:6970", "[2001:db8::1]:6969"].map(parsePeerAddress)) {
    assert.equal(exchange.handleDatagram(1, bytes, from), false);
  }
  assert.equal(exchange.handleDatagram(1, bytes.with(7, bytes[7] ^ 1), tracker), false);
  assert.equal(exchange.handleDatagram(1, bytes.subarray(0, 7), tracker), false);
  run(2);
  assert.equal(sent.length, 1);
  assert.equal(exchange.handleDatagram(2, bytes, tracker), true);
  run(3);
  assert.equal(sent[1].request.action, "announce");
  assert.equal(exchange.handleDatagram(3, bytes, tracker), false, "it was answered already");
  assert.deepEqual(outcomes, []);
});

Deno.test("UdpExchange tells a refusal, of an announce or already of the connect", () => {
  const reply = working();
  for (const refused of ["connect", "announce"]) {
    const { ask, run, outcomes, sent } = bench((request) => {
      const { action, transactionId } = request;
      return action === refused ? { action: "error", transactionId, message: "unregistered torrent" } : reply(request);
    });
    ask();
    ask();
    run(1);
    assert.deepEqual(outcomes.map((outcome) => "refusal" in outcome && outcome.refusal), [
      "unregistered torrent",
      "unregistered torrent",
    ]);
    assert.equal(sent.length, refused === "connect" ? 1 : 3);
  }
});

Deno.test("UdpExchange connects anew once when the tracker finds fault with the connection id", () => {
  const reply = working();
  const mismatch = (request: UdpTrackerRequest): UdpTrackerReply =>
    request.action === "connect"
      ? reply(request)
      : { action: "error", transactionId: request.transactionId, message: "Connection ID missmatch." };
  let restarted = false;
  const { ask, run, outcomes, log } = bench((request) => {
    if (request.action === "connect") restarted = false;
    return restarted ? mismatch(request) : reply(request);
  });
  ask();
  run(1000);
  restarted = true;
  ask();
  run(2000);
  assert.deepEqual(log(), ["0 connect", "0 announce", "1 announce", "1 connect", "1 announce"]);
  assert.ok(outcomes.every((outcome) => "reply" in outcome));
  const stubborn = bench(mismatch);
  stubborn.ask();
  stubborn.run(1000);
  assert.deepEqual(stubborn.log(), ["0 connect", "0 announce", "0 connect", "0 announce"]);
  assert.deepEqual(stubborn.outcomes, [{ query: 1, refusal: "Connection ID missmatch." }]);
});

Deno.test("UdpExchange takes an answer that can't be read for a refusal", () => {
  const { exchange, ask, run, outcomes, sent } = bench((request) =>
    request.action === "connect" ? working()(request) : undefined
  );
  for (
    const change of [
      (b: Uint8Array) => b.subarray(0, 19),
      (b: Uint8Array) => b.with(3, 2),
      (b: Uint8Array) => b.with(3, 0),
    ]
  ) {
    ask();
    run(1);
    const { transactionId } = sent.at(-1)!.request;
    const good = { action: "announce", transactionId, interval: 1, leechers: 0, seeders: 0, peers: [] } as const;
    exchange.handleDatagram(1, change(encodeUdpTrackerReply(good, 4)), tracker);
    run(2);
    const outcome = outcomes.pop()!;
    assert.match("refusal" in outcome ? outcome.refusal : "", /^Cannot read the tracker's answer: /);
  }
});

Deno.test("UdpExchange spaces what a thousand swarms ask of one tracker, with one connect, and none times out for that", () => {
  const { ask, run, sent, outcomes } = bench(working(), 1_000);
  for (let i = 0; i < 1_000; i++) ask();
  run(1);
  assert.equal(sent.length, 1 + BURST + 1);
  run(60_000);
  assert.equal(outcomes.filter((outcome) => "reply" in outcome).length, 1_000);
  assert.equal(sent.filter(({ request }) => request.action === "connect").length, 1);
  const took = sent.at(-1)!.at;
  assert.ok(took >= (1_000 - 2 * BURST) * QUERY_GAP && took <= 1_000 * QUERY_GAP, `${took} ms`);
});

Deno.test("UdpExchange goes on through thousands of queries although the connection id expires meanwhile", () => {
  const { ask, run, sent, outcomes } = bench(working(), 5_000);
  for (let i = 0; i < 15_000; i++) ask();
  run(120_000);
  assert.equal(outcomes.filter((outcome) => "reply" in outcome).length, 15_000);
  assert.equal(sent.filter(({ request }) => request.action === "connect").length, 2);
});

Deno.test("UdpExchange asks a dead tracker for a connection every 15 s at most, however many swarms come, and no later for a new one", () => {
  const { ask, run, sent } = bench(() => undefined);
  for (let at = 0; at < 600_000; at += 1_000) {
    run(at);
    ask();
  }
  const gaps = sent.slice(1).map(({ at }, i) => at - sent[i].at);
  assert.ok(gaps.every((gap) => gap >= 15_000 && gap <= 16_000), gaps.join());
});

Deno.test("UdpExchange keeps the connection id when only one answer is lost, and drops it when the tracker fell silent", () => {
  const reply = working();
  let lose = (_: UdpTrackerRequest) => false;
  const { ask, run, log } = bench((request) => lose(request) ? undefined : reply(request), 10_000);
  ask(announce(1));
  run(1_000);
  lose = (request) => request.action === "announce" && request.infoHash[0] === 2;
  ask(announce(2));
  run(5_000);
  ask(announce(3));
  run(12_000);
  lose = () => true;
  ask(announce(4));
  run(23_000);
  lose = () => false;
  ask(announce(5));
  run(24_000);
  assert.deepEqual(log(), [
    ...["0 connect", "0 announce", "1 announce", "5 announce", "12 announce", "23 connect", "23 announce"],
  ]);
});

Deno.test("UdpExchange forgets a query that is cancelled, and those of an address that can't be reached", () => {
  const { exchange, ask, run, outcomes, sent } = bench(() => undefined);
  exchange.cancel(ask());
  exchange.cancel(99);
  run(1);
  assert.equal(exchange.pollTimeout(1), undefined);
  const [first, second] = [ask(), ask()];
  exchange.unreachable(tracker, "not allowed");
  run(2);
  assert.deepEqual(outcomes, [{ query: first, refusal: "not allowed" }, { query: second, refusal: "not allowed" }]);
  assert.equal(sent.length, 0);
});

Deno.test("UdpExchange scrapes", () => {
  const { ask, run, outcomes } = bench(working());
  ask({ action: "scrape", infoHashes: [3, 4].map((fill) => new Uint8Array(20).fill(fill)) });
  run(1);
  const [outcome] = outcomes;
  assert.ok("reply" in outcome && outcome.reply.action === "scrape");
  assert.deepEqual(outcome.reply.swarms.map(({ seeders }) => seeders), [3, 4]);
});
