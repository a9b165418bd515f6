import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesEqual } from "weft";
import { METADATA_PIECE, pieceSize } from "./codec.ts";
import { MetadataFetch, type PeerKey } from "./fetch.ts";

const SIZE = 5 * METADATA_PIECE - 100;
const whole = Uint8Array.from({ length: SIZE }, (_, i) => i * 7 + (i >> 9));
const peer = (name: string): { name: string } => ({ name });
const pieceOf = (bytes: Uint8Array, piece: number): Uint8Array =>
  bytes.subarray(piece * METADATA_PIECE, piece * METADATA_PIECE + pieceSize(bytes.length, piece));

/** Answers all that is asked with what each peer has, until there is nothing more to ask or the right whole came. */
function run(fetch: MetadataFetch, has: (peer: PeerKey) => Uint8Array | undefined, from = 0): PeerKey[] | undefined {
  const liars: PeerKey[] = [];
  for (let now = from; now < from + 200_000; now += 1_000) {
    for (const { peer, piece } of fetch.poll(now)) {
      const bytes = has(peer);
      if (bytes) fetch.data(now, peer, piece, bytes.length, pieceOf(bytes, piece));
      else fetch.reject(now, peer, piece);
    }
    for (let candidate = fetch.candidate(); candidate; candidate = fetch.candidate()) {
      const right = bytesEqual(candidate.bytes, whole);
      liars.push(...fetch.verdict(right));
      if (right) return liars;
    }
  }
  return undefined;
}

Deno.test("several peers are asked at once, each for other pieces", () => {
  const fetch = new MetadataFetch();
  const [a, b] = [peer("a"), peer("b")];
  fetch.join(a, SIZE);
  fetch.join(b, SIZE);
  const asked = fetch.poll(0);
  assert.deepEqual(asked.map(({ piece }) => piece).sort(), [0, 1, 2, 3, 4]);
  assert.deepEqual(new Set(asked.map(({ peer }) => peer)), new Set([a, b]));
  for (const { peer, piece } of asked) fetch.data(0, peer, piece, SIZE, pieceOf(whole, piece));
  assert.ok(bytesEqual(fetch.candidate()!.bytes, whole));
  assert.equal(fetch.candidate(), undefined, "one at a time");
  assert.deepEqual(fetch.verdict(true), []);
});

Deno.test("a slow peer's pieces are asked of another, and a silent one is left alone for a while", () => {
  const fetch = new MetadataFetch();
  const [slow, quick] = [peer("slow"), peer("quick")];
  fetch.join(slow, SIZE);
  assert.equal(fetch.poll(0).length, 4);
  fetch.join(quick, SIZE);
  assert.deepEqual(fetch.poll(1_000).map(({ piece }) => piece), [4], "only what nobody was asked for");
  fetch.data(0, quick, 4, SIZE, pieceOf(whole, 4));
  assert.deepEqual(fetch.poll(4_000).map(({ piece }) => piece), [0, 1, 2, 3]);
  for (let piece = 0; piece < 4; piece++) fetch.data(0, quick, piece, SIZE, pieceOf(whole, piece));
  assert.ok(fetch.candidate());
  const alone = new MetadataFetch();
  alone.join(slow, SIZE);
  alone.poll(0);
  assert.deepEqual(alone.poll(16_000), []);
  assert.equal(alone.poll(47_000).length, 4);
});

Deno.test("a link that takes its time for each piece is not given up, and late answers count", () => {
  const fetch = new MetadataFetch();
  const slow = peer("slow");
  const size = 7 * METADATA_PIECE;
  const answer = (now: number, piece: number): void =>
    fetch.data(now, slow, piece, size, new Uint8Array(METADATA_PIECE));
  fetch.join(slow, size);
  fetch.poll(0);
  for (let piece = 0; piece < 3; piece++) {
    const now = (piece + 1) * 14_000;
    answer(now, piece);
    assert.deepEqual(fetch.poll(now).map(({ piece }) => piece), [piece + 4], "one for each that came");
  }
  assert.deepEqual(fetch.poll(42_000 + 15_000), [], "it rests");
  for (const piece of [3, 4, 5, 6]) answer(60_000, piece);
  assert.equal(fetch.candidate()?.bytes.length, size);
});

Deno.test("what is refused is asked again later", () => {
  const fetch = new MetadataFetch();
  const a = peer("a");
  fetch.join(a, SIZE);
  for (const { piece } of fetch.poll(0)) fetch.reject(0, a, piece);
  assert.deepEqual(fetch.poll(10_000), []);
  assert.equal(fetch.poll(31_000).length, 4);
});

Deno.test("a lie among several costs a second round, and then has a name", () => {
  const fetch = new MetadataFetch();
  const [liar, honest, other] = [peer("liar"), peer("honest"), peer("other")];
  const lie = whole.slice();
  lie[3] ^= 1;
  for (const each of [liar, honest, other]) fetch.join(each, SIZE);
  const liars = run(fetch, (peer) => peer === liar ? lie : whole);
  assert.ok(liars, "it is complete");
  assert.ok(liars.every((each) => each === liar));
});

Deno.test("peers who say other sizes don't hold up the honest one, whatever they send", () => {
  const fetch = new MetadataFetch();
  const honest = peer("honest");
  const sizes = new Map<PeerKey, number>();
  for (let i = 0; i < 20; i++) sizes.set(peer(`liar ${i}`), 1_000 + i * 100_000);
  for (const [liar, size] of sizes) fetch.join(liar, size);
  fetch.join(honest, SIZE);
  const liars = run(fetch, (peer) => peer === honest ? whole : new Uint8Array(sizes.get(peer)!));
  assert.ok(liars, "it is complete");
  assert.ok(!liars.includes(honest));
});

Deno.test("a liar who is found out takes nothing from those who share its size", () => {
  const fetch = new MetadataFetch();
  const [liar, honest] = [peer("liar"), peer("honest")];
  const answer = (key: PeerKey, pieces: readonly number[]): void => {
    for (const piece of pieces) {
      fetch.data(0, key, piece, SIZE, pieceOf(key === honest ? whole : new Uint8Array(SIZE), piece));
    }
  };
  for (const each of [liar, peer("other")]) fetch.join(each, SIZE);
  for (const { peer, piece } of fetch.poll(0)) answer(peer, [piece]);
  assert.ok(fetch.candidate());
  assert.deepEqual(fetch.verdict(false), [], "from now on they are alone");
  fetch.join(honest, SIZE);
  fetch.poll(0);
  answer(honest, [0, 1, 2]);
  answer(liar, [0, 1, 2, 3]);
  fetch.poll(0);
  answer(liar, [4]);
  assert.ok(fetch.candidate());
  assert.deepEqual(fetch.verdict(false), [liar]);
  answer(honest, [3]);
  fetch.poll(0);
  answer(honest, [4]);
  assert.ok(bytesEqual(fetch.candidate()!.bytes, whole));
});

Deno.test("what peers leave behind when they go takes room, and is given up for others", () => {
  const fetch = new MetadataFetch();
  for (let i = 0; i < 3; i++) {
    const gone = peer(`${i}`);
    const size = SIZE - 1 - i;
    fetch.join(gone, size);
    fetch.poll(0);
    fetch.data(0, gone, 0, size, pieceOf(new Uint8Array(size), 0));
    fetch.leave(gone);
  }
  const honest = peer("honest");
  fetch.join(honest, SIZE);
  assert.deepEqual([fetch.poll(20_000).length, fetch.held], [0, 3 * METADATA_PIECE]);
  fetch.poll(20_001);
  assert.deepEqual([fetch.poll(20_002).length, fetch.held], [4, 0]);
});

Deno.test("memory is bounded however many sizes are named", () => {
  const fetch = new MetadataFetch();
  const sizes = new Map<PeerKey, number>();
  for (let i = 0; i < 100; i++) sizes.set(peer(`${i}`), 8 * 1024 * 1024 - i);
  for (const [each, size] of sizes) fetch.join(each, size);
  let most = 0;
  for (let now = 0; now < 60_000; now += 100) {
    for (const { peer, piece } of fetch.poll(now)) {
      const size = sizes.get(peer)!;
      if (piece > 500) continue; // never whole
      fetch.data(now, peer, piece, size, new Uint8Array(pieceSize(size, piece)));
    }
    most = Math.max(most, fetch.held);
  }
  assert.ok(most > 8_000_000 && most <= 3 * 8 * 1024 * 1024, `${most}`);
});

Deno.test("liars who send a little of much and stop don't keep the room for ever", () => {
  const fetch = new MetadataFetch();
  const honest = peer("honest");
  const sizes = new Map<PeerKey, number>();
  for (let i = 0; i < 6; i++) sizes.set(peer(`${i}`), 8 * 1024 * 1024 - i);
  for (const [liar, size] of sizes) fetch.join(liar, size);
  fetch.join(honest, SIZE);
  for (let now = 0; now < 300_000; now += 500) {
    for (const { peer, piece } of fetch.poll(now)) {
      const bytes = peer === honest ? whole : new Uint8Array(sizes.get(peer)!);
      // One piece each, and then silence.
      if (peer === honest || piece === 0) fetch.data(now, peer, piece, bytes.length, pieceOf(bytes, piece));
    }
    const candidate = fetch.candidate();
    if (candidate) return assert.ok(bytesEqual(candidate.bytes, whole));
  }
  assert.fail("it was not completed");
});

Deno.test("liars who send a piece now and then, for hours, leave honest peers their turn, quick ones and slow ones", () => {
  for (const [liars, pace] of [[3, 100], [12, 100], [12, 40_000]] as const) {
    const fetch = new MetadataFetch();
    const tricklers = Array.from({ length: liars }, (_, i) => ({ size: 8_000_000 - i }));
    for (const liar of tricklers) fetch.join(liar, liar.size);
    const honest = peer("honest");
    fetch.join(honest, SIZE);
    const under: { readonly at: number; readonly peer: PeerKey; readonly piece: number }[] = [];
    const free = new Map<PeerKey, number>();
    let candidate;
    let now = 0;
    for (; !candidate && now < 3_600_000; now += 500) {
      for (const { peer, piece } of fetch.poll(now)) {
        // One answer after the other, the next one just before it would be given up.
        const at = Math.max(now, free.get(peer) ?? 0) + (peer === honest ? pace / 4 : 14_000);
        free.set(peer, at);
        under.push({ at, peer, piece });
      }
      for (const answer of under.filter(({ at }) => at <= now)) {
        under.splice(under.indexOf(answer), 1);
        const size = answer.peer === honest ? SIZE : (answer.peer as { size: number }).size;
        const bytes = answer.peer === honest
          ? pieceOf(whole, answer.piece)
          : new Uint8Array(pieceSize(size, answer.piece));
        fetch.data(now, answer.peer, answer.piece, size, bytes);
      }
      candidate = fetch.candidate();
      assert.ok(fetch.held <= 3 * 8 * 1024 * 1024);
    }
    assert.ok(candidate?.sources.has(honest), `${liars} liars held it up`);
    assert.ok(now < 1_200_000, `it took ${now} ms`);
  }
});

Deno.test("what can't be a piece, or was not asked for, is refused", () => {
  const fetch = new MetadataFetch();
  const a = peer("a");
  for (const size of [0, -1, NaN, 8 * 1024 * 1024 + 1]) assert.throws(() => fetch.join(a, size), /size must be 1 to/);
  fetch.join(a, SIZE);
  fetch.poll(0);
  assert.throws(() => fetch.data(0, a, 0, SIZE + 1, pieceOf(whole, 0)), /size must be 81820, the peer says 81821 now/);
  assert.throws(
    () => fetch.data(0, a, 1, SIZE, new Uint8Array(5)),
    /piece 1 must have 16384 bytes, current value is 5/,
  );
  fetch.data(0, peer("stranger"), 2, SIZE, pieceOf(whole, 2));
  for (let i = 0; i < 16; i++) fetch.data(0, a, 99, SIZE, new Uint8Array(1));
  assert.throws(() => fetch.data(0, a, 99, SIZE, new Uint8Array(1)), /what it was not asked for/);
  assert.equal(fetch.held, 0);
});

Deno.test("an honest peer completes it among any liars who come and go", () => {
  const step = fc.record({ peer: fc.nat(4), kind: fc.constantFrom("join", "leave"), size: fc.nat(2) });
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const fetch = new MetadataFetch();
    const liars = [0, 1, 2, 3, 4].map((i) => peer(`${i}`));
    const said = new Map<PeerKey, number>();
    const honest = peer("honest");
    fetch.join(honest, SIZE);
    for (const { peer, kind, size } of steps) {
      const liar = liars[peer];
      if (kind === "leave") {
        fetch.leave(liar);
        said.delete(liar);
      } else {
        const bytes = [SIZE, SIZE - 1, 100][size];
        fetch.join(liar, bytes);
        said.set(liar, bytes);
      }
      for (const request of fetch.poll(0)) {
        const bytes = request.peer === honest ? whole : new Uint8Array(said.get(request.peer)!);
        fetch.data(0, request.peer, request.piece, bytes.length, pieceOf(bytes, request.piece));
      }
      for (let candidate = fetch.candidate(); candidate; candidate = fetch.candidate()) {
        const right = bytesEqual(candidate.bytes, whole);
        assert.ok(!fetch.verdict(right).includes(honest));
        if (right) return;
      }
    }
    assert.ok(run(fetch, (peer) => peer === honest ? whole : new Uint8Array(said.get(peer) ?? 1), 1_000));
  }));
});
