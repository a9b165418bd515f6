import assert from "node:assert/strict";
import fc from "fast-check";
import type { Random } from "../../api/mod.ts";
import { type ChokePeer, Choker, optimisticInterval, rechokeInterval } from "./choker.ts";

type Mutable = { -readonly [K in keyof ChokePeer]: ChokePeer[K] };

function seeded(seed: number): Random {
  let state = seed;
  const next = () => state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0;
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 24),
    below: (bound) => Math.floor(next() / 2 ** 32 * bound),
  };
}

const random = seeded(1);

function peer(key: string, more: Partial<ChokePeer> = {}): Mutable {
  return { key, interested: true, snubbed: false, down: 0, up: 0, connectedAt: -1e6, sentSinceUnchoke: 0, ...more };
}

function crowd(count: number, more: (i: number) => Partial<ChokePeer> = () => ({})): Mutable[] {
  return Array.from({ length: count }, (_, i) => peer(`peer ${i}`, more(i)));
}

/** Runs rounds; an unchoked peer takes at `speed(peer)` bytes per second. Returns how many rounds each was unchoked. */
function run(
  peers: Mutable[],
  options: { slots: number; seeding: boolean; rounds: number; seed?: number; speed?: (peer: Mutable) => number },
): Map<string, number> {
  const choker = new Choker(seeded(options.seed ?? 1));
  const turns = new Map(peers.map((each) => [each.key, 0]));
  for (let round = 0; round < options.rounds; round++) {
    const now = round * rechokeInterval;
    const chosen = choker.rechoke(now, peers, options);
    assert.ok(chosen.size <= options.slots);
    for (const each of peers) {
      if (!chosen.has(each)) {
        each.unchokedSince = undefined;
        each.up = 0;
        continue;
      }
      turns.set(each.key, turns.get(each.key)! + 1);
      if (each.unchokedSince === undefined) [each.unchokedSince, each.sentSinceUnchoke] = [now, 0];
      each.up = options.speed?.(each) ?? 0;
      each.sentSinceUnchoke += each.up * rechokeInterval / 1_000;
    }
  }
  return turns;
}

Deno.test("Choker gives the slots to those that send most, all the time", () => {
  const peers = crowd(20, (i) => ({ down: i * 1_000 }));
  const turns = run(peers, { slots: 5, seeding: false, rounds: 100 });
  for (const best of [16, 17, 18, 19]) assert.equal(turns.get(`peer ${best}`), 100);
});

Deno.test("Choker tries everyone optimistically in the end, for 30 s at a time", () => {
  const peers = crowd(20, (i) => ({ down: i >= 16 ? 1e6 : 0 }));
  const turns = run(peers, { slots: 5, seeding: false, rounds: 600 });
  for (const [key, count] of turns) {
    assert.ok(count > 0, `${key} was never tried`);
    if (count < 600) assert.equal(count % (optimisticInterval / rechokeInterval), 0);
  }
});

Deno.test("Choker, with one slot, still tries the others for a third of the time", () => {
  const peers = crowd(6, (i) => ({ down: i === 0 ? 1e6 : 0 }));
  const turns = run(peers, { slots: 1, seeding: false, rounds: 900 });
  assert.ok(turns.get("peer 0")! >= 600);
  for (const count of turns.values()) assert.ok(count > 0);
});

Deno.test("Choker tries newcomers three times as often", () => {
  let newcomers = 0;
  for (let seed = 1; seed <= 2_000; seed++) {
    const peers = crowd(8, (i) => ({ connectedAt: i < 4 ? 0 : -1e6 }));
    const [chosen] = new Choker(seeded(seed * 7_919)).rechoke(0, peers, { slots: 1, seeding: false });
    if (chosen.connectedAt === 0) newcomers++;
  }
  assert.ok(newcomers > 1_400 && newcomers < 1_600, `${newcomers} of 2000, expected about 1500`);
});

Deno.test("Choker lets a peer that snubs us earn no slot", () => {
  const peers = crowd(10, (i) => ({ down: 1_000 + i, snubbed: i === 9 }));
  const turns = run(peers, { slots: 5, seeding: false, rounds: 90 });
  assert.ok(turns.get("peer 9")! < 60);
  assert.ok([5, 6, 7, 8].every((i) => turns.get(`peer ${i}`) === 90));
});

Deno.test("Choker leaves no slot empty while someone is interested, and unchokes nobody who isn't", () => {
  const peers = crowd(6, (i) => ({ interested: i % 2 === 0 }));
  for (const seeding of [false, true]) {
    const chosen = new Choker(random).rechoke(0, peers, { slots: 4, seeding });
    assert.deepEqual([...chosen].map((each) => each.key).sort(), ["peer 0", "peer 2", "peer 4"]);
  }
});

Deno.test("Choker does not swap two peers that are alike, round after round", () => {
  const holder = peer("holder", { down: 1_000, unchokedSince: 0 });
  for (const [down, holds] of [[1_050, true], [1_200, false]] as const) {
    const choker = new Choker(random);
    const rivals = [holder, peer("rival", { down }), peer("idle")];
    for (let round = 1; round <= 3; round++) {
      const [first] = choker.rechoke(round * rechokeInterval, rivals, { slots: 2, seeding: false });
      assert.equal(first === holder, holds);
    }
  }
});

Deno.test("Choker fills free slots between rounds without moving anyone else", () => {
  for (const seeding of [false, true]) {
    const choker = new Choker(random);
    const peers = crowd(2, () => ({ down: 10 }));
    assert.equal(choker.rechoke(0, peers, { slots: 3, seeding }).size, 2);
    for (const each of peers) each.unchokedSince = 0;
    const faster = [...peers, peer("faster", { down: 1e6 }), peer("fastest", { down: 1e7 })];
    const chosen = choker.rechoke(1_000, faster, { slots: 3, seeding });
    assert.equal(chosen.size, 3);
    assert.ok(peers.every((each) => chosen.has(each)));
  }
});

Deno.test("Choker, seeding, serves all in turn and as long as each other", () => {
  const peers = crowd(30);
  const turns = run(peers, { slots: 4, seeding: true, rounds: 30 / 4 * 6 * 20, speed: () => 1_000_000 });
  const counts = [...turns.values()];
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 6, `from ${Math.min(...counts)} to ${Math.max(...counts)}`);
});

Deno.test("Choker, seeding, moves on from peers that take nothing or little", () => {
  const peers = crowd(12);
  const speed = (each: Mutable) => each.key < "peer 3" ? 0 : each.key < "peer 6" ? 1_000 : 2_000_000;
  const turns = run(peers, { slots: 3, seeding: true, rounds: 2_000, speed });
  const of = (i: number) => turns.get(`peer ${i}`)!;
  assert.ok(of(2) < of(7) / 1.5, "idle peers hold a slot for less long");
  assert.ok(of(4) < of(7) * 4, "slow ones for a bounded time");
  assert.ok([...turns.values()].every((count) => count > 0));
});

Deno.test("Choker, seeding, lets the fastest go on when more turns are over than peers wait", () => {
  const choker = new Choker(random);
  const peers = crowd(3);
  choker.rechoke(0, peers, { slots: 3, seeding: true });
  peers.forEach((each, i) => Object.assign(each, { unchokedSince: 0, sentSinceUnchoke: 1e9, up: [10, 30, 20][i] }));
  const all = [...peers, peer("new")];
  const chosen = choker.rechoke(60_000, all, { slots: 3, seeding: true });
  assert.deepEqual([...chosen].map((each) => each.key).sort(), ["new", "peer 1", "peer 2"]);
});

Deno.test("Choker keeps its promises whatever the peers do", () => {
  const rate = fc.nat(1_000_000);
  const state = fc.record({
    interested: fc.boolean(),
    snubbed: fc.boolean(),
    down: rate,
    up: rate,
    there: fc.boolean(),
  });
  const round = fc.record({
    wait: fc.nat(20_000),
    slots: fc.nat(6),
    seeding: fc.boolean(),
    states: fc.array(state, { minLength: 8, maxLength: 8 }),
  });
  fc.assert(fc.property(fc.array(round, { maxLength: 40 }), fc.nat(), (rounds, seed) => {
    const choker = new Choker(seeded(seed));
    let now = 0;
    for (const { wait, slots, seeding, states } of rounds) {
      now += wait;
      const peers = crowd(8, (i) => states[i]).filter((_, i) => states[i].there);
      const chosen = choker.rechoke(now, peers, { slots, seeding });
      const interested = peers.filter((each) => each.interested);
      assert.equal(chosen.size, Math.min(slots, interested.length));
      for (const each of chosen) assert.ok(interested.includes(each as Mutable));
    }
  }));
});
