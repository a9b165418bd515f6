import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ConnectedPeer,
  encode,
  encodePeers4,
  type PeerAddress,
  peerAddress,
  ProtocolError,
  TokenBucket,
} from "weft";
import { contact, decodePex, encodePex, PexFlag } from "./codec.ts";
import { Roster } from "./roster.ts";
import { PexSession, type SessionRecord, SWARM_NAMED } from "./session.ts";

const MINUTE = 60_000;
const still = { bytes: (length: number) => new Uint8Array(length), below: () => 0 };

const at = (n: number): PeerAddress => peerAddress(`93.184.${n >> 8}.${n & 255}`, 6881);

function connected(address: PeerAddress): ConnectedPeer {
  return { address, uploadOnly: false, encrypted: false, transport: "tcp", reachable: true, offers: () => false };
}

/** Brings a roster up to date, as often as it takes. */
function update(roster: Roster, numbers: readonly number[]): void {
  for (let looks = 0; looks <= numbers.length / 50; looks++) roster.update(numbers.map((n) => connected(at(n))));
}

function rosterOf(...numbers: readonly number[]): Roster {
  const roster = new Roster();
  update(roster, numbers);
  return roster;
}

function session(more: { readonly ip?: string; readonly record?: SessionRecord; readonly now?: number } = {}) {
  return new PexSession({ now: 0, ip: "192.0.2.200", random: still, ...more });
}

/** A session whose peer takes messages since 0. */
function offered(more: Parameters<typeof session>[0] = {}): PexSession {
  const made = session(more);
  made.handleOffer(more.now ?? 0, true);
  return made;
}

/** The numbers of those whom a message adds and drops. */
function told(message: Uint8Array | undefined): { added: number[]; dropped: number[] } | undefined {
  if (!message) return undefined;
  const { added, dropped } = decodePex(message);
  return { added: added.map(({ address }) => numberOf(address)), dropped: dropped.map(numberOf) };
}

function numberOf({ ip }: PeerAddress): number {
  const [, , high, low] = ip.split(".").map(Number);
  return high << 8 | low;
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

const naming = (addresses: readonly PeerAddress[], flags = 0): Uint8Array =>
  encodePex(addresses.map((address) => contact(address, flags)), []);

const swarm = (): { swarm: TokenBucket; seeding: boolean } => ({
  swarm: new TokenBucket(0, SWARM_NAMED),
  seeding: false,
});

Deno.test("a peer that doesn't take messages is never due, and one that does is soon", () => {
  const silent = session();
  assert.equal(silent.due, Infinity);
  assert.equal(silent.poll(MINUTE, rosterOf(1), undefined), undefined);
  silent.handleOffer(MINUTE, true);
  assert.ok(silent.due > MINUTE && silent.due <= MINUTE + 5_000);
  silent.handleOffer(MINUTE, false);
  assert.equal(silent.due, Infinity);
});

Deno.test("the first message names who is connected, the next ones what changed, a minute or more apart", () => {
  const roster = rosterOf(1, 2);
  const talk = offered();
  assert.equal(talk.poll(0, roster, undefined), undefined);
  const first = talk.due;
  assert.deepEqual(told(talk.poll(first, roster, undefined)), { added: [1, 2], dropped: [] });
  roster.update([connected(at(2)), connected(at(3))]);
  assert.equal(talk.poll(first + MINUTE - 1, roster, undefined), undefined);
  assert.ok(talk.due >= first + MINUTE);
  assert.deepEqual(told(talk.poll(talk.due, roster, undefined)), { added: [3], dropped: [1] });
});

Deno.test("nothing is sent while nothing changes, and a change is told within seconds once a minute passed", () => {
  const roster = rosterOf(1);
  const talk = offered();
  talk.poll(talk.due, roster, undefined);
  for (let i = 0; i < 100; i++) assert.equal(talk.poll(talk.due, roster, undefined), undefined);
  const before = talk.due;
  roster.update([connected(at(1)), connected(at(2))]);
  assert.deepEqual(told(talk.poll(before, roster, undefined)), { added: [2], dropped: [] });
  assert.ok(talk.due >= before + MINUTE);
});

Deno.test("nobody is told of itself", () => {
  const talk = offered();
  assert.deepEqual(told(talk.poll(talk.due, rosterOf(1, 2, 3), at(2))), { added: [1, 3], dropped: [] });
  const alone = offered();
  assert.equal(alone.poll(alone.due, rosterOf(2), at(2)), undefined);
});

Deno.test("a peer is told of nobody nearer than itself", () => {
  const roster = new Roster();
  const ips = ["192.0.2.1", "10.0.0.1", "127.0.0.1"];
  roster.update(ips.map((ip) => connected(peerAddress(ip, 1))));
  const named = (ip: string): string[] => {
    const talk = offered({ ip });
    return decodePex(talk.poll(talk.due, roster, undefined)!).added.map(({ address }) => address.ip);
  };
  assert.deepEqual(named("192.0.2.9"), ips.slice(0, 1));
  assert.deepEqual(named("10.0.0.9"), ips.slice(0, 2));
  assert.deepEqual(named("127.0.0.9"), ips);
});

Deno.test("a message names at most 50 as added and 50 as dropped; the rest has its turn later", () => {
  const roster = rosterOf(...range(0, 120));
  const talk = offered();
  const next = (): ReturnType<typeof told> => told(talk.poll(talk.due, roster, undefined));
  assert.deepEqual(next(), { added: range(0, 50), dropped: [] });
  assert.deepEqual(next(), { added: range(50, 50), dropped: [] });
  assert.deepEqual(next(), { added: range(100, 20), dropped: [] });
  update(roster, range(200, 60));
  assert.deepEqual(next(), { added: range(200, 50), dropped: range(0, 50) });
  assert.deepEqual(next(), { added: range(250, 10), dropped: range(50, 50) });
  assert.deepEqual(next(), { added: [], dropped: range(100, 20) });
  assert.equal(next(), undefined);
});

Deno.test("one that left and came back in between is named neither way", () => {
  const roster = rosterOf(1, 2);
  const talk = offered();
  talk.poll(talk.due, roster, undefined);
  roster.update([connected(at(1))]);
  roster.update([connected(at(1)), connected(at(2))]);
  assert.equal(talk.poll(talk.due, roster, undefined), undefined);
});

Deno.test("one that came back while too many others left is not named twice either", () => {
  const roster = rosterOf(...range(0, 100));
  const talk = offered();
  for (let i = 0; i < 2; i++) talk.poll(talk.due, roster, undefined);
  update(roster, []);
  update(roster, range(90, 10));
  assert.deepEqual(told(talk.poll(talk.due, roster, undefined)), { added: [], dropped: range(0, 50) });
  assert.deepEqual(told(talk.poll(talk.due, roster, undefined)), { added: [], dropped: range(50, 40) });
});

Deno.test("whoever comes and leaves, what a peer was told adds up, and never twice", () => {
  const step = fc.uniqueArray(fc.nat(150), { maxLength: 120 });
  fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const roster = new Roster();
    const talk = offered();
    const knows = new Set<number>();
    let last = -Infinity;
    const hear = (): boolean => {
      const now = talk.due;
      const message = told(talk.poll(now, roster, at(7)));
      if (!message) return false;
      assert.ok(now - last >= MINUTE, "sooner than a minute after the last");
      last = now;
      const { added, dropped } = message;
      assert.ok(added.length <= 50 && dropped.length <= 50);
      for (const n of dropped) assert.ok(knows.delete(n), `${n} dropped and never told`);
      for (const n of added) {
        assert.ok(!knows.has(n), `${n} told twice`);
        knows.add(n);
      }
      return true;
    };
    for (const numbers of steps) {
      update(roster, numbers);
      hear();
    }
    while (hear());
    assert.deepEqual([...knows].sort(), (steps.at(-1) ?? []).filter((n) => n !== 7).sort());
  }));
});

Deno.test("the next generation goes on where the last one was", () => {
  const roster = rosterOf(1, 2);
  const before = offered();
  before.poll(before.due, roster, undefined);
  const sentAt = 1_000;
  const record: SessionRecord = structuredClone(before.save());
  assert.deepEqual(record, { told: [at(1).key, at(2).key], sentAt });
  const next = offered({ record, now: 10_000 });
  assert.ok(next.due >= sentAt + MINUTE);
  assert.deepEqual(next.save(), record);
  roster.update([connected(at(2)), connected(at(3))]);
  assert.deepEqual(told(next.poll(next.due, roster, undefined)), { added: [3], dropped: [] });
  update(roster, [1, 3]);
  assert.deepEqual(told(next.poll(next.due, roster, undefined)), { added: [], dropped: [2] });
});

Deno.test("what a peer names is taken", () => {
  const talk = session();
  assert.deepEqual(talk.handleMessage(0, naming([at(1), at(2)]), swarm()), [at(1), at(2)]);
  assert.deepEqual(talk.heard, { messages: 1, ignored: 0, named: 2, taken: 2 });
});

Deno.test("while we seed, seeds are left out", () => {
  const talk = session();
  const message = encodePex([contact(at(1), PexFlag.uploadOnly), contact(at(2), PexFlag.reachable)], []);
  assert.deepEqual(talk.handleMessage(0, message, { ...swarm(), seeding: true }), [at(2)]);
});

Deno.test("a few messages too soon are taken, more are ignored, and a flood is a ProtocolError", () => {
  const talk = session();
  const own = swarm();
  for (let i = 0; i < 3; i++) assert.equal(talk.handleMessage(i, naming([at(i)]), own).length, 1);
  for (let i = 3; i < 20; i++) assert.equal(talk.handleMessage(i, naming([at(i)]), own).length, 0);
  assert.deepEqual(talk.heard, { messages: 20, ignored: 17, named: 3, taken: 3 });
  assert.throws(() => talk.handleMessage(20, naming([]), own), ProtocolError);
});

Deno.test("a client that speaks twice as often as it should is heard half of the time, and never closed", () => {
  const talk = session();
  const own = swarm();
  let taken = 0;
  for (let i = 0; i < 240; i++) taken += talk.handleMessage(i * MINUTE / 2, naming([at(i)]), own).length;
  assert.ok(taken >= 120 && taken <= 124, String(taken));
});

Deno.test("a client that speaks once a minute is heard every time, however its messages jitter", () => {
  const talk = session();
  const own = swarm();
  for (let i = 0; i < 240; i++) {
    const late = (i * 7_919) % 30_000;
    assert.equal(talk.handleMessage(i * MINUTE + late, naming([at(i)]), own).length, 1);
  }
});

Deno.test("one peer names at most 200 at once and 100 a minute, and a swarm's peers 2,000 and 1,000", () => {
  const many = encode({ added: encodePeers4(range(0, 100).map(at)) });
  const talk = session();
  const own = swarm();
  const taken = (): number => talk.handleMessage(0, many, own).length;
  assert.deepEqual([taken(), taken(), taken()], [100, 100, 0]);
  let all = 200;
  for (let i = 0; i < 100; i++) all += session().handleMessage(0, many, own).length;
  assert.equal(all, 2_000);
  assert.equal(session().handleMessage(6_000, many, own).length, 100);
});
