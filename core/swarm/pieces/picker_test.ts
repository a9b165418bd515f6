import assert from "node:assert/strict";
import fc from "fast-check";
import { SeededRandom } from "../../host/memory/random.ts";
import { Bitfield } from "../../wire/mod.ts";
import { BLOCK_SIZE, blocksIn, blockSize, type PieceShape } from "./blocks.ts";
import { Picker, type RunSource } from "./picker.ts";

/** `pieces` pieces of `blocks` blocks each; the last piece has one block less, and that a short one. */
function shapeOf(pieces: number, blocks: number): PieceShape {
  const pieceLength = blocks * BLOCK_SIZE;
  const last = Math.max(1, blocks - 1) * BLOCK_SIZE - 100;
  return { pieceCount: pieces, pieceLength, pieceSize: (piece) => piece === pieces - 1 ? last : pieceLength };
}

/** A source that does as it is told, and notes what was cancelled. */
class Source implements RunSource {
  cursor = 0;
  static #keys = 0;
  readonly key: number = ++Source.#keys;
  readonly requested = new Set<string>();
  readonly cancelled: string[] = [];
  speed = 1e9;

  constructor(readonly pieces: Bitfield) {}

  has(piece: number): boolean {
    return this.pieces.has(piece);
  }
  get complete(): boolean {
    return this.pieces.full;
  }
  rate(): number {
    return this.speed;
  }
  hasRequested(piece: number, block: number): boolean {
    return this.requested.has(`${piece}:${block}`);
  }
  cancel(piece: number, block: number): void {
    this.requested.delete(`${piece}:${block}`);
    this.cancelled.push(`${piece}:${block}`);
  }
}

/** A picker with sources, and what a swarm does around it. */
class Bench {
  readonly have: Bitfield;
  readonly picker: Picker;
  readonly sources: Source[] = [];

  constructor(readonly shape: PieceShape, seed = 1) {
    this.have = new Bitfield(shape.pieceCount);
    this.picker = new Picker(shape, this.have, new SeededRandom(seed));
  }

  source(has: (piece: number) => boolean = () => true): Source {
    const pieces = new Bitfield(this.shape.pieceCount);
    for (let piece = 0; piece < pieces.length; piece++) if (has(piece)) pieces.set(piece);
    const source = new Source(pieces);
    this.sources.push(source);
    this.picker.addSource(pieces);
    return source;
  }

  /** Picks, and returns `piece:block` of each. */
  pick(source: Source, count: number): string[] {
    const out: number[] = [];
    const picked = this.picker.pick(source, count, 0, out);
    assert.equal(out.length, picked * 2);
    return this.#note(source, out);
  }

  pickFrom(source: Source, piece: number, count: number): string[] {
    const out: number[] = [];
    this.picker.pickFrom(source, piece, count, out);
    return this.#note(source, out);
  }

  #note(source: Source, out: readonly number[]): string[] {
    const keys: string[] = [];
    for (let i = 0; i < out.length; i += 2) keys.push(`${out[i]}:${out[i + 1]}`);
    for (const key of keys) {
      assert.ok(!source.requested.has(key), `${key} is asked of one source twice`);
      assert.ok(source.has(Number(key.split(":")[0])), `${key} is asked of a source that lacks it`);
      source.requested.add(key);
    }
    return keys;
  }

  /** The block came; a piece that is whole is stored, or found wrong. */
  receive(source: Source, key: string, right = true): void {
    const [piece, block] = key.split(":").map(Number);
    source.requested.delete(key);
    if (this.picker.wantsBlock(piece, block) && this.picker.received(piece, block, this.sources, source)) {
      if (right) this.store(piece);
      else this.picker.lost(piece);
    }
  }

  store(piece: number): void {
    this.have.set(piece);
    this.picker.stored(piece);
  }

  lose(source: Source, key: string): void {
    const [piece, block] = key.split(":").map(Number);
    source.requested.delete(key);
    this.picker.release(piece, block, source.key);
  }

  leave(source: Source): void {
    for (const key of [...source.requested]) this.lose(source, key);
    this.picker.removeSource(source.pieces);
    this.picker.forget(source.key);
    this.sources.splice(this.sources.indexOf(source), 1);
  }
}

const pieceOf = (key: string): number => Number(key.split(":")[0]);

Deno.test("the first pieces are any, then the rarest comes first", () => {
  const firsts = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const bench = new Bench(shapeOf(20, 1), seed);
    bench.source((piece) => piece !== 7);
    firsts.add(pieceOf(bench.pick(bench.source(), 1)[0]));
  }
  assert.ok(firsts.size > 5, "the first piece is always among the same few");
  const bench = new Bench(shapeOf(20, 1));
  bench.source((piece) => piece !== 7 && piece !== 9);
  bench.source((piece) => piece !== 7);
  for (const piece of [0, 1, 2, 3]) bench.store(piece);
  assert.deepEqual(bench.pick(bench.source(), 2), ["7:0", "9:0"]);
});

Deno.test("a higher priority goes before rarity, and priority 0 is never asked for", () => {
  const bench = new Bench(shapeOf(6, 1));
  for (const piece of [0, 1, 2, 3]) bench.store(piece);
  const source = bench.source();
  bench.source((piece) => piece === 4);
  bench.picker.setPriorities(Uint8Array.of(4, 4, 4, 4, 7, 1));
  assert.deepEqual(bench.pick(source, 1), ["4:0"]);
  bench.picker.setPriorities(Uint8Array.of(4, 4, 4, 4, 4, 0));
  assert.deepEqual(bench.pick(source, 1), []);
  assert.equal(bench.picker.wantedCount, 1);
});

Deno.test("an open piece that is no longer wanted is not asked for any more", () => {
  const bench = new Bench(shapeOf(3, 4));
  const source = bench.source();
  const [first] = bench.pick(source, 1);
  const wanted = new Uint8Array(3).fill(4);
  wanted[pieceOf(first)] = 0;
  bench.picker.setPriorities(wanted);
  const rest = bench.pick(source, 100);
  assert.ok(rest.length > 0 && rest.every((key) => pieceOf(key) !== pieceOf(first)), rest.join(" "));
});

Deno.test("in sequence, pieces are asked for by index, block after block", () => {
  const bench = new Bench(shapeOf(4, 2));
  bench.picker.sequential = true;
  const source = bench.source();
  assert.deepEqual(bench.pick(source, 5), ["0:0", "0:1", "1:0", "1:1", "2:0"]);
  for (const key of ["0:0", "0:1", "1:0"]) bench.receive(source, key);
  assert.deepEqual(bench.pick(source, 5), ["2:1", "3:0"]);
});

Deno.test("a piece that the disk lost is asked for again, also in sequence", () => {
  const bench = new Bench(shapeOf(3, 1));
  bench.picker.sequential = true;
  const source = bench.source();
  for (const key of bench.pick(source, 3)) bench.receive(source, key);
  assert.equal(bench.picker.wantedCount, 0);
  bench.have.clear(1);
  bench.picker.lost(1);
  bench.picker.reset();
  assert.equal(bench.picker.wantedCount, 1);
  assert.deepEqual(bench.pick(source, 3), ["1:0"]);
});

Deno.test("deadlines go before all else, the soonest first", () => {
  const bench = new Bench(shapeOf(8, 1));
  bench.picker.setDeadline(6, 2_000);
  bench.picker.setDeadline(3, 1_000);
  bench.picker.setDeadline(5, 500);
  bench.picker.setDeadline(5, undefined);
  assert.deepEqual(bench.pick(bench.source((piece) => piece > 2), 2), ["3:0", "6:0"]);
});

Deno.test("a piece is one source's own, while that is quick enough", () => {
  const bench = new Bench(shapeOf(3, 16));
  const fast = bench.source();
  const other = bench.source();
  const mine = pieceOf(bench.pick(fast, 1)[0]);
  assert.ok(bench.pick(other, 4).every((key) => pieceOf(key) !== mine));
  const slow = bench.source();
  slow.speed = 1_000;
  assert.equal(pieceOf(bench.pick(slow, 1)[0]), mine, "a slow source opened a piece of its own");
});

Deno.test("in the endgame what is late is asked of others, and cancelled there when it comes", () => {
  const bench = new Bench(shapeOf(2, 2));
  const [a, b, c, d] = [bench.source(), bench.source(), bench.source(), bench.source()];
  const all = bench.pick(a, 100);
  assert.equal(all.length, 3);
  const again = [b, c].map((source) => [...bench.pick(source, 100), ...bench.pick(source, 100)].sort());
  assert.deepEqual(again, [[...all].sort(), [...all].sort()]);
  assert.deepEqual(bench.pick(d, 100), [], "a fourth copy was asked for");
  assert.deepEqual(bench.pick(a, 100), [], "a block was asked of its source again");
  bench.receive(b, all[0]);
  assert.deepEqual([a.cancelled, b.cancelled, c.cancelled], [[all[0]], [], [all[0]]]);
});

Deno.test("what came to nothing is free for others, and a late answer counts after all", () => {
  const bench = new Bench(shapeOf(1, 4));
  const [a, b] = [bench.source(), bench.source()];
  assert.deepEqual(bench.pick(a, 2), ["0:0", "0:1"]);
  bench.lose(a, "0:0");
  assert.deepEqual(bench.pick(b, 1), ["0:0"]);
  bench.lose(a, "0:1");
  bench.picker.claim(0, 1);
  assert.deepEqual(bench.pick(b, 2), ["0:2"], "what is on its way was asked of another");
  bench.receive(a, "0:1");
  assert.ok(!bench.picker.wantsBlock(0, 1));
});

Deno.test("when a source leaves, what it had is less common, and its piece is anybody's", () => {
  const bench = new Bench(shapeOf(4, 8));
  const [a, b] = [bench.source(), bench.source((piece) => piece < 2)];
  assert.deepEqual(bench.picker.availability(), [2, 2, 1, 1]);
  const keys = bench.pick(a, 3);
  bench.leave(a);
  assert.deepEqual(bench.picker.availability(), [1, 1, 0, 0]);
  if (b.has(pieceOf(keys[0]))) assert.ok(bench.pick(b, 3).length === 3);
  bench.leave(b);
  assert.deepEqual(bench.picker.availability(), [0, 0, 0, 0]);
});

Deno.test("haves are counted like a bitfield, up to the last piece", () => {
  const bench = new Bench(shapeOf(3, 1));
  const source = bench.source(() => false);
  for (const piece of [2, 0, 1]) {
    source.pieces.set(piece);
    bench.picker.sourceHas(piece, source.pieces);
  }
  assert.deepEqual(bench.picker.availability(), [1, 1, 1]);
  assert.equal(bench.picker.interesting(source.pieces), 3);
  bench.leave(source);
  assert.deepEqual(bench.picker.availability(), [0, 0, 0]);
});

Deno.test("pickFrom() asks for one piece only", () => {
  const bench = new Bench(shapeOf(3, 2));
  const source = bench.source((piece) => piece !== 2);
  assert.deepEqual(bench.pickFrom(source, 1, 9), ["1:0", "1:1"]);
  assert.deepEqual(bench.pickFrom(source, 1, 9), []);
  assert.deepEqual(bench.pickFrom(source, 2, 9), []);
});

Deno.test("whatever happens, no block is asked for twice before the endgame, and all that is wanted comes", () => {
  const operation = fc.record({
    kind: fc.constantFrom("pick", "pick", "pick", "receive", "receive", "wrong", "lose", "leave", "join", "priorities"),
    source: fc.nat(),
    which: fc.nat(),
    count: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(fc.nat(1e6), fc.boolean(), fc.array(operation, { maxLength: 120 }), (seed, sequential, operations) => {
      const bench = new Bench(shapeOf(6, 3), seed);
      bench.picker.sequential = sequential;
      bench.source();
      let disturbed = false;
      for (const { kind, source: index, which, count } of operations) {
        const source = bench.sources[index % bench.sources.length];
        const key = source && [...source.requested][which % source.requested.size];
        if (kind === "join") bench.source((piece) => which >> piece & 1 ? true : false);
        else if (kind === "pick" && source) {
          const elsewhere = new Set(bench.sources.flatMap(({ requested }) => [...requested]));
          const free = freeBlocks(bench, elsewhere);
          const picked = bench.pick(source, count);
          // Twice only where nothing was left that nobody had been asked for.
          if (!disturbed && picked.some((key) => elsewhere.has(key))) assert.equal(free, 0);
        } else if (kind === "receive" && key) bench.receive(source, key);
        else if (kind === "wrong" && key) {
          bench.receive(source, key, false);
          disturbed = true;
        } else if (kind === "lose" && key) bench.lose(source, key);
        else if (kind === "leave" && source && bench.sources.length > 1) bench.leave(source);
        else if (kind === "priorities") {
          bench.picker.setPriorities(Uint8Array.from({ length: 6 }, (_, piece) => which >> piece & 1 ? count % 8 : 4));
          disturbed = true;
        }
        const wanted = Array.from({ length: 6 }, (_, piece) => bench.picker.wants(piece)).filter(Boolean).length;
        assert.equal(bench.picker.wantedCount, wanted);
        const holding = Array.from({ length: 6 }, (_, piece) => bench.sources.filter((s) => s.has(piece)).length);
        assert.deepEqual(bench.picker.availability(), holding);
      }
      for (const source of [...bench.sources]) bench.leave(source);
      const last = bench.source();
      for (let round = 0; round < 100 && bench.picker.wantedCount > 0; round++) {
        for (const key of bench.pick(last, 5)) bench.receive(last, key);
      }
      assert.equal(bench.picker.wantedCount, 0, "some piece never came");
    }),
    { numRuns: 1_000 },
  );
});

/** Blocks of wanted pieces that have not come and were asked of nobody. */
function freeBlocks(bench: Bench, asked: ReadonlySet<string>): number {
  let free = 0;
  for (let piece = 0; piece < bench.shape.pieceCount; piece++) {
    if (!bench.picker.wants(piece)) continue;
    for (let block = 0; block < blocksIn(bench.shape, piece); block++) {
      if (!asked.has(`${piece}:${block}`) && (bench.picker.wantsBlock(piece, block))) free++;
    }
  }
  return free;
}

/** What `pickRun` gave, as `piece:block+length`, and the blocks noted as asked of the source. */
function row(bench: Bench, source: Source, bytes: number): string | undefined {
  const run = bench.picker.pickRun(source, bytes);
  if (!run) return undefined;
  let [{ piece, block }, left] = [run, run.length];
  for (; left > 0; left -= blockSize(bench.shape, piece, block), block++) {
    if (block === blocksIn(bench.shape, piece)) [piece, block] = [piece + 1, 0];
    source.requested.add(`${piece}:${block}`);
  }
  return `${run.piece}:${run.block}+${run.length}`;
}

Deno.test("pickRun() takes whole pieces in a row that nobody fetches, goes on behind them, and one at least", () => {
  const bench = new Bench(shapeOf(10, 4));
  const [server, peer] = [bench.source(), bench.source((piece) => piece === 3)];
  const piece = 4 * BLOCK_SIZE;
  bench.picker.pick(peer, 1, 0, []);
  assert.equal(row(bench, server, 2 * piece), `0:0+${2 * piece}`);
  assert.equal(
    row(bench, server, 3 * piece),
    `4:0+${3 * piece}`,
    "the first row that is long enough, not what is left of it",
  );
  assert.equal(row(bench, server, 1), `7:0+${piece}`);
  assert.equal(row(bench, server, 100 * piece), `8:0+${piece + 3 * BLOCK_SIZE - 100}`, "up to the torrent's end");
  assert.equal(row(bench, server, piece), `2:0+${piece}`, "then from the beginning");
});

Deno.test("pickRun() takes what is free of open pieces next, and last what is late", () => {
  const bench = new Bench(shapeOf(2, 4));
  const [server, peer] = [bench.source(), bench.source()];
  const asked = bench.pick(peer, 6);
  const [first, second] = [asked[0], asked[5]].map(pieceOf);
  const begun = asked.filter((key) => pieceOf(key) === second).length;
  const size = (piece: number, from: number, to: number): number => {
    let bytes = 0;
    for (let block = from; block < to; block++) bytes += blockSize(bench.shape, piece, block);
    return bytes;
  };
  const [whole, half] = [blocksIn(bench.shape, first), blocksIn(bench.shape, second)];
  assert.equal(
    row(bench, server, 1),
    `${second}:${begun}+${size(second, begun, half)}`,
    "of a piece that another source began",
  );
  assert.equal(row(bench, server, 1), `${first}:0+${size(first, 0, whole)}`, "all are asked for: again, of this one");
  assert.equal(row(bench, server, 1), `${second}:0+${size(second, 0, begun)}`);
  assert.equal(row(bench, server, 1), undefined, "nothing is asked of one source twice");
  for (const key of asked) bench.receive(server, key);
  assert.deepEqual(peer.cancelled, asked);
});

Deno.test("pickRun() obeys deadlines, priorities and the order of pieces", () => {
  const bench = new Bench(shapeOf(8, 1));
  const server = bench.source();
  bench.picker.setPriorities(Uint8Array.of(4, 4, 0, 4, 7, 7, 4, 4));
  bench.picker.setDeadline(7, 2_000);
  bench.picker.setDeadline(6, 1_000);
  const block = BLOCK_SIZE;
  assert.equal(row(bench, server, 1), `6:0+${block}`);
  assert.equal(row(bench, server, 1), `7:0+${block - 100}`);
  assert.equal(row(bench, server, 4 * block), `4:0+${2 * block}`, "no further than the priority goes");
  bench.picker.sequential = true;
  assert.equal(row(bench, server, block), `0:0+${block}`);
  assert.equal(row(bench, server, 4 * block), `1:0+${block}`, "not what is not wanted");
  assert.equal(row(bench, server, 4 * block), `3:0+${block}`);
});
