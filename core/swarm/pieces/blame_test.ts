import assert from "node:assert/strict";
import fc from "fast-check";
import { Blame } from "./blame.ts";

/** Notes a whole piece: who sent each block. */
function send(blame: Blame, piece: number, senders: readonly number[]): void {
  senders.forEach((peer, block) => blame.record(piece, block, peer));
}

Deno.test("Blame knows who sent which block of an open piece", () => {
  const blame = new Blame();
  blame.record(3, 0, 1);
  blame.record(3, 2, 2);
  blame.record(3, 2, 2);
  blame.record(3, 3, 1);
  blame.record(3, 3, 2);
  assert.deepEqual(blame.senders(3), [1, undefined, 2, undefined]);
  assert.deepEqual(blame.senders(4), []);
  blame.drop(3);
  assert.deepEqual(blame.senders(3), []);
});

Deno.test("Blame names the one peer that sent all of a failed piece", () => {
  const blame = new Blame();
  send(blame, 0, [7, 7, 7]);
  assert.deepEqual(blame.failed(0, 3), { only: 7, ban: [] });
  assert.deepEqual(blame.senders(0), []);
});

Deno.test("Blame names nobody alone when others had a part, or when some of the piece came from elsewhere", () => {
  const blame = new Blame();
  send(blame, 0, [7, 7, 8]);
  assert.deepEqual(blame.failed(0, 3), { ban: [] });
  send(blame, 1, [7, 7]);
  assert.deepEqual(blame.failed(1, 3), { ban: [] });
  blame.record(2, 1, 7);
  assert.deepEqual(blame.failed(2), { ban: [] });
  send(blame, 3, [7, 7]);
  blame.record(3, 1, 8);
  assert.deepEqual(blame.failed(3, 2), { ban: [] });
  assert.deepEqual(blame.failed(4), { ban: [] });
});

Deno.test("Blame proves wrong who sent a block that differs from the verified one, in any attempt", () => {
  const blame = new Blame();
  send(blame, 0, [1, 2, 3]);
  blame.failed(0, 3);
  send(blame, 0, [4, 1, 2]);
  blame.failed(0, 3);
  send(blame, 0, [1, 2, 5]);
  assert.deepEqual(blame.proven(0, [[2], [0]]).sort(), [3, 4]);
});

Deno.test("Blame proves nothing about a block that two peers had a part in", () => {
  const blame = new Blame();
  send(blame, 0, [1, 2]);
  blame.record(0, 0, 3);
  blame.failed(0, 2);
  send(blame, 0, [2, 2]);
  assert.deepEqual(blame.proven(0, [[0]]), []);
});

Deno.test("Blame matches the latest attempts when the store forgot the earlier ones", () => {
  const blame = new Blame();
  send(blame, 0, [1, 2]);
  blame.failed(0, 2);
  send(blame, 0, [3, 4]);
  blame.failed(0, 2);
  send(blame, 0, [5, 5]);
  assert.deepEqual(blame.proven(0, [[1]]), [4]);
});

Deno.test("Blame bans at the fifth bad piece a peer that delivered nothing, among peers that do", () => {
  const blame = new Blame();
  const spoiler = 99;
  for (let piece = 0; piece < 5; piece++) {
    send(blame, 100 + piece, [piece, piece]);
    blame.proven(100 + piece, []);
  }
  for (let piece = 0; piece < 4; piece++) {
    send(blame, piece, [piece, spoiler]);
    assert.deepEqual(blame.failed(piece, 2), { ban: [] });
  }
  send(blame, 4, [4, spoiler]);
  assert.deepEqual(blame.failed(4, 2), { ban: [spoiler] });
});

Deno.test("Blame does not ban at the fifth bad piece when it may have been the other one", () => {
  const blame = new Blame();
  for (let piece = 0; piece < 20; piece++) {
    send(blame, piece, [1, 2]);
    assert.deepEqual(blame.failed(piece, 2), { ban: [] });
  }
});

Deno.test("Blame clears those whose blocks turn out right", () => {
  const blame = new Blame();
  send(blame, 50, [2, 2]);
  blame.proven(50, []);
  for (let piece = 0; piece < 4; piece++) {
    send(blame, piece, [1, 2]);
    blame.failed(piece, 2);
    send(blame, piece, [2, 2]);
    assert.deepEqual(blame.proven(piece, [[]]), []);
    blame.drop(piece);
  }
  send(blame, 4, [1, 2]);
  assert.deepEqual(blame.failed(4, 2), { ban: [] });
});

Deno.test("Blame never names an honest peer, and names every liar whose piece gets verified", () => {
  const peers = 6;
  const attempt = fc.record({
    senders: fc.array(fc.nat(peers - 1), { minLength: 4, maxLength: 4 }),
    /** A block that a second peer finished after the first left. */
    second: fc.option(fc.record({ block: fc.nat(3), peer: fc.nat(peers - 1) })),
    lies: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  });
  const pieces = fc.array(fc.array(attempt, { minLength: 1, maxLength: 4 }), { maxLength: 25 });
  fc.assert(
    fc.property(pieces, fc.nat(peers - 1), fc.boolean(), (all, spoiler, finish) => {
      const blame = new Blame();
      all.forEach((attempts, piece) => {
        const wrong: number[][] = [];
        const provable = new Set<number>();
        for (const { senders, second, lies } of attempts) {
          const lie = (block: number) =>
            lies[block] && (senders[block] === spoiler || second?.block === block && second.peer === spoiler);
          const bad = [0, 1, 2, 3].filter(lie);
          if (bad.length === 0) continue;
          send(blame, piece, senders);
          if (second) blame.record(piece, second.block, second.peer);
          const { only, ban } = blame.failed(piece, 4);
          assert.ok(only === undefined || only === spoiler);
          assert.ok(ban.every((peer) => peer === spoiler));
          wrong.push(bad);
          for (const block of bad) {
            if (!second || second.block !== block || second.peer === senders[block]) provable.add(spoiler);
          }
        }
        if (!finish) return blame.drop(piece);
        // A last, right attempt by everyone else.
        send(blame, piece, [0, 1, 2, 3].map((block) => (spoiler + 1 + block) % peers));
        assert.deepEqual(new Set(blame.proven(piece, wrong)), provable);
        blame.drop(piece);
      });
    }),
  );
});

Deno.test("Blame stays small however much is spoiled, and still proves the latest", () => {
  const blame = new Blame();
  const blocks = 1_024;
  for (let piece = 0; piece < 600; piece++) {
    send(blame, piece, Array.from({ length: blocks }, (_, block) => block % 2 + 10 * piece));
    blame.failed(piece, blocks);
  }
  assert.deepEqual(blame.proven(599, [[1]]), [5_991]);
  assert.deepEqual(blame.proven(0, [[1]]), [], "the oldest is forgotten");
});
