/**
 * Decides which block is asked of whom: rarest first (random for the first pieces, by index when sequential, deadlines
 * before all), whole pieces from one source where that is quick, and in the endgame one more source for what is late.
 *
 * It picks for a {@link BlockSource}; a BitTorrent session is one.
 *
 * @module
 */
import { Bitfield } from "../../wire/mod.ts";
import type { Random } from "../../api/mod.ts";
import { BLOCK_SIZE, blocksIn, blockSize, type PieceShape } from "./blocks.ts";
import { PieceOrder } from "./piece_order.ts";

/** Where blocks come from. */
export interface BlockSource {
  readonly key: number;
  has(piece: number): boolean;
  /** It has every piece. */
  readonly complete: boolean;
  /** Payload bytes per second of late. */
  rate(now: number): number;
  /** Whether the block was asked of it and has not come. */
  hasRequested(piece: number, block: number): boolean;
  /** Takes a request back: the block came from another source. */
  cancel(piece: number, block: number): void;
}

/** A source that fetches rows of blocks in one go, such as a web server. */
export interface RunSource extends BlockSource {
  /** The piece where it goes on. */
  cursor: number;
}

/** Blocks in a row, perhaps over several pieces. */
export interface BlockRun {
  readonly piece: number;
  /** The first, in `piece`. */
  readonly block: number;
  /** Bytes. */
  readonly length: number;
}

/** A piece that some blocks were asked of or came. */
interface OpenPiece {
  readonly piece: number;
  /** How many sources each block was asked of; {@link RECEIVED} once it came. */
  readonly blocks: Uint8Array;
  /** Blocks not asked of anybody and not here, and where to look for the first. */
  free: number;
  cursor: number;
  missing: number;
  /** The source that fetches it alone, while that is quick enough. */
  owner: number | undefined;
  /** No longer wanted: what was asked for may still come, and nothing else is asked for. */
  parked: boolean;
}

const RECEIVED = 255;
// Until so many pieces are there, any piece will do: the sooner there is something to trade, the better (BEP 3's advice).
const RANDOM_FIRST_PIECES = 4;
// A source that needs longer than this for a piece of its own helps with open pieces instead (milliseconds).
const SOLO_PIECE_TIME = 20_000;
// A piece that somebody waits for so much longer than it should have taken is asked of others too (milliseconds).
const OVERDUE = 2_000;
// Sources that a block is asked of at once in the endgame.
const ENDGAME_COPIES = 3;
// Pieces looked at for a row of them: a torrent of two million must not hold up everybody for each row.
const MAX_ROW_SEARCH = 2 ** 16;

let keys = 0;

/** A number for a source that no other has, and had, in this process. */
export function nextSourceKey(): number {
  return ++keys;
}

/** The picker of one swarm. */
export class Picker {
  readonly #shape: PieceShape;
  readonly #random: Random;
  readonly #have: Bitfield;
  readonly #order: PieceOrder;
  readonly #priority: Uint8Array;
  readonly #holders: Uint16Array;
  /** Sources with every piece, who are not counted one by one. */
  #completeSources = 0;
  readonly #open = new Map<number, OpenPiece>();
  /** Pieces whose blocks are all there and whose verdict is awaited. */
  readonly #judged = new Set<number>();
  readonly #deadlines = new Map<number, number>();
  /** The pieces that have one, the earliest first; undefined once that is no longer known. */
  #deadlineOrder: readonly number[] | undefined;
  /** Free blocks over all open pieces. */
  #freeBlocks = 0;
  #wantedCount = 0;
  #sequentialFrom = 0;
  sequential = false;

  /** `have` is the store's live bitfield. Every piece begins at priority 4. */
  constructor(shape: PieceShape, have: Bitfield, random: Random) {
    this.#shape = shape;
    this.#random = random;
    this.#have = have;
    this.#order = new PieceOrder(shape.pieceCount, random);
    this.#priority = new Uint8Array(shape.pieceCount).fill(4);
    this.#holders = new Uint16Array(shape.pieceCount);
    this.reset();
  }

  /** Pieces that are wanted and not there. */
  get wantedCount(): number {
    return this.#wantedCount;
  }

  /** Whether a piece is wanted and not there. */
  wants(piece: number): boolean {
    return this.#priority[piece] > 0 && !this.#have.has(piece);
  }

  priority(piece: number): number {
    return this.#priority[piece];
  }

  /** How many sources have each piece. */
  availability(): number[] {
    return Array.from(this.#holders, (holders) => holders + this.#completeSources);
  }

  /** Looks at `have` anew, after a check changed it as a whole. */
  reset(): void {
    this.#sequentialFrom = 0;
    this.#wantedCount = 0;
    this.#order.rebuild((piece) => {
      const wanted = this.wants(piece);
      if (wanted) this.#wantedCount++;
      return wanted && this.#pickable(piece) ? this.#priority[piece] : 0;
    }, this.#holders);
  }

  /** Sets priorities, 0 to 7, of all pieces. */
  setPriorities(priorities: Uint8Array): void {
    this.#priority.set(priorities);
    for (const open of this.#open.values()) {
      this.#park(open, !this.wants(open.piece) && !this.#deadlines.has(open.piece));
    }
    this.reset();
  }

  /** Wants a piece by a time (ms of the runtime's clock), before everything else; undefined takes that back. */
  setDeadline(piece: number, deadline: number | undefined): void {
    if (deadline === undefined) this.#deadlines.delete(piece);
    else this.#deadlines.set(piece, deadline);
    this.#deadlineOrder = undefined;
    const open = this.#open.get(piece);
    if (open) this.#park(open, deadline === undefined && !this.wants(piece));
  }

  /** A source has these pieces now. */
  addSource(pieces: Bitfield): void {
    if (pieces.length > 0 && pieces.full) this.#completeSources++;
    else this.#count(pieces, 1);
  }

  /** A source is gone, or what it has changes as a whole; `pieces` as counted before. */
  removeSource(pieces: Bitfield): void {
    if (pieces.length > 0 && pieces.full) this.#completeSources--;
    else this.#count(pieces, -1);
  }

  /** A source got one more piece; `pieces` includes it. */
  sourceHas(piece: number, pieces: Bitfield): void {
    if (pieces.full) {
      // From now on it counts as a complete source.
      this.#holders[piece]++;
      this.#count(pieces, -1);
      this.#completeSources++;
      return;
    }
    this.#holders[piece]++;
    this.#place(piece);
  }

  /** How many pieces that we want this source has; 0 is not interesting. */
  interesting(pieces: Bitfield): number {
    if (pieces.length === 0) return 0;
    if (pieces.full) return this.#wantedCount;
    let count = 0;
    for (let piece = pieces.firstSet(); piece >= 0; piece = pieces.firstSet(piece + 1)) if (this.wants(piece)) count++;
    return count;
  }

  /**
   * Picks up to `count` blocks for a source and marks them as asked of it. Pushes piece and block, in turn, to `out`.
   *
   * @returns how many blocks
   */
  pick(source: BlockSource, count: number, now: number, out: number[]): number {
    let left = count;
    if (this.#deadlines.size > 0) left -= this.#pickDeadlines(source, left, now, out);
    if (left > 0 && this.#freeBlocks > 0) left -= this.#pickOpen(source, left, now, out);
    while (left > 0) {
      const piece = this.#nextPiece(source);
      if (piece < 0) break;
      left -= this.#take(this.#openPiece(piece, source.key), left, out);
    }
    if (left > 0 && this.#freeBlocks > 0) left -= this.#pickAnyOpen(source, left, out);
    if (left === count && this.#freeBlocks === 0 && this.#order.length === 0) {
      left -= this.#pickLate(source, Math.min(left, 4), out);
    }
    return count - left;
  }

  /** Picks blocks of one piece only: for sources that choke us but allow this piece (BEP 6). */
  pickFrom(source: BlockSource, piece: number, count: number, out: number[]): number {
    if (!this.wants(piece) || this.#judged.has(piece) || !source.has(piece)) return 0;
    return this.#take(this.#openPiece(piece, source.key), count, out);
  }

  /**
   * Picks blocks in a row for a source that fetches such, up to `bytes` but one piece at least, and marks them as asked
   * of it: whole pieces that nobody fetches; else what is free of an open one; in the endgame, what is late.
   */
  pickRun(source: RunSource, bytes: number): BlockRun | undefined {
    const first = this.#firstOfRow(source, Math.max(1, Math.floor(bytes / this.#shape.pieceLength)));
    if (first >= 0) return this.#takeRow(source, first, bytes);
    const free = this.#takeRest(source, 0, false) ?? this.#takeRest(source, 0, true);
    if (free || this.#freeBlocks > 0) return free;
    for (let copies = 1; copies < ENDGAME_COPIES; copies++) {
      const late = this.#takeRest(source, copies, true);
      if (late) return late;
    }
  }

  /** Whether a block's bytes are still wanted. */
  wantsBlock(piece: number, block: number): boolean {
    const open = this.#open.get(piece);
    return open !== undefined && open.blocks[block] !== RECEIVED;
  }

  /** A block that was given up comes after all: it counts as asked of one more source. */
  claim(piece: number, block: number): void {
    const open = this.#open.get(piece);
    if (!open || open.blocks[block] === RECEIVED) return;
    if (open.blocks[block]++ > 0) return;
    open.free--;
    if (!open.parked) this.#freeBlocks--;
  }

  /**
   * A block came. Other sources that it was asked of too are told.
   *
   * @returns whether the piece's blocks are now all there
   */
  received(piece: number, block: number, sources: Iterable<BlockSource>, from: BlockSource): boolean {
    const open = this.#open.get(piece);
    if (!open || open.blocks[block] === RECEIVED) return false;
    if (open.blocks[block] === 0) this.claim(piece, block);
    const askedOf = open.blocks[block];
    open.blocks[block] = RECEIVED;
    if (askedOf > 1) {
      for (const source of sources) {
        if (source !== from && source.hasRequested(piece, block)) source.cancel(piece, block);
      }
    }
    if (--open.missing > 0) {
      if (open.parked) this.#park(open, true);
      return false;
    }
    this.#open.delete(piece);
    this.#judged.add(piece);
    return true;
  }

  /** A request came to nothing: rejected, choked, timed out, or its source is gone. */
  release(piece: number, block: number, key: number): void {
    const open = this.#open.get(piece);
    if (!open) return;
    if (open.owner === key) open.owner = undefined;
    const askedOf = open.blocks[block];
    if (askedOf === RECEIVED || askedOf === 0) return;
    open.blocks[block]--;
    if (askedOf > 1) return;
    open.free++;
    if (!open.parked) this.#freeBlocks++;
    open.cursor = Math.min(open.cursor, block);
    if (open.parked) this.#park(open, true);
    else if (open.missing === open.free && open.missing === open.blocks.length) this.#close(open);
  }

  /** A source is gone, after its requests were released: what it fetched alone is anybody's. */
  forget(key: number): void {
    for (const open of this.#open.values()) if (open.owner === key) open.owner = undefined;
  }

  /** The piece is there for good. */
  stored(piece: number): void {
    this.#judged.delete(piece);
    if (this.#deadlines.delete(piece)) this.#deadlineOrder = undefined;
    const open = this.#open.get(piece);
    if (open) this.#close(open);
    if (this.#priority[piece] > 0) this.#wantedCount--;
    this.#place(piece);
  }

  /** The piece is to be fetched again: its hash was wrong, or the disk lost it. */
  lost(piece: number): void {
    this.#judged.delete(piece);
    const open = this.#open.get(piece);
    if (open) this.#close(open);
    this.#place(piece);
  }

  #close(open: OpenPiece): void {
    this.#open.delete(open.piece);
    if (!open.parked) this.#freeBlocks -= open.free;
    this.#place(open.piece);
  }

  /** Asks for no more of a piece, or goes on with it. One that is parked is forgotten once nothing is under way. */
  #park(open: OpenPiece, parked: boolean): void {
    if (open.parked !== parked) this.#freeBlocks += parked ? -open.free : open.free;
    open.parked = parked;
    if (parked && open.missing === open.free) this.#close(open);
  }

  #openPiece(piece: number, owner: number): OpenPiece {
    let open = this.#open.get(piece);
    if (open) return open;
    const blocks = blocksIn(this.#shape, piece);
    open = { piece, blocks: new Uint8Array(blocks), free: blocks, cursor: 0, missing: blocks, owner, parked: false };
    this.#open.set(piece, open);
    this.#freeBlocks += blocks;
    // Open pieces are found in #open, not in the order.
    this.#order.place(piece, 0, 0);
    return open;
  }

  /** Takes free blocks of an open piece, in order. */
  #take(open: OpenPiece, count: number, out: number[]): number {
    let taken = 0;
    while (taken < count && open.free > 0) {
      while (open.blocks[open.cursor] !== 0) open.cursor++;
      open.blocks[open.cursor] = 1;
      out.push(open.piece, open.cursor++);
      open.free--;
      this.#freeBlocks--;
      taken++;
    }
    return taken;
  }

  #byDeadline(): readonly number[] {
    return this.#deadlineOrder ??= [...this.#deadlines].sort((a, b) => a[1] - b[1]).map(([piece]) => piece);
  }

  /** What has a deadline; what is overdue is asked of a second source too. */
  #pickDeadlines(source: BlockSource, count: number, now: number, out: number[]): number {
    let taken = 0;
    for (const piece of this.#byDeadline()) {
      if (taken === count) break;
      if (this.#have.has(piece) || this.#judged.has(piece) || !source.has(piece)) continue;
      const open = this.#openPiece(piece, source.key);
      taken += this.#take(open, count - taken, out);
      if (open.free > 0 || now - this.#deadlines.get(piece)! < OVERDUE) continue;
      for (let block = 0; block < open.blocks.length && taken < count; block++) {
        if (open.blocks[block] !== 1 || source.hasRequested(piece, block) || isAmong(out, piece, block)) continue;
        open.blocks[block]++;
        out.push(piece, block);
        taken++;
      }
    }
    return taken;
  }

  /** Goes on with its own pieces, and with those of nobody; a slow source also with others'. */
  #pickOpen(source: BlockSource, count: number, now: number, out: number[]): number {
    const slow = source.rate(now) * SOLO_PIECE_TIME / 1000 < this.#shape.pieceLength;
    let taken = 0;
    for (const open of this.#open.values()) {
      if (taken === count) break;
      if (open.free === 0 || open.parked || !source.has(open.piece)) continue;
      if (
        open.owner !== source.key && open.owner !== undefined && !(slow && this.#shape.pieceLength > 4 * BLOCK_SIZE)
      ) {
        continue;
      }
      if (open.owner === undefined && !slow) open.owner = source.key;
      taken += this.#take(open, count - taken, out);
    }
    return taken;
  }

  #pickAnyOpen(source: BlockSource, count: number, out: number[]): number {
    let taken = 0;
    for (const open of this.#open.values()) {
      if (taken === count) break;
      if (open.free > 0 && !open.parked && source.has(open.piece)) taken += this.#take(open, count - taken, out);
    }
    return taken;
  }

  /** The endgame: everything is asked of somebody; asks for what was asked of the fewest. */
  #pickLate(source: BlockSource, count: number, out: number[]): number {
    let taken = 0;
    for (let copies = 1; copies < ENDGAME_COPIES && taken < count; copies++) {
      for (const open of this.#open.values()) {
        if (taken === count) break;
        if (open.parked || !source.has(open.piece)) continue;
        for (let block = 0; block < open.blocks.length && taken < count; block++) {
          if (open.blocks[block] !== copies || source.hasRequested(open.piece, block)) continue;
          if (isAmong(out, open.piece, block)) continue;
          open.blocks[block]++;
          out.push(open.piece, block);
          taken++;
        }
      }
    }
    return taken;
  }

  /** The piece that a row of up to `count` should begin at, or -1. */
  #firstOfRow(source: RunSource, count: number): number {
    for (const piece of this.#byDeadline()) if (this.#untouched(source, piece)) return piece;
    if (this.sequential) return this.#nextInSequence(source);
    const priority = this.#highestUntouched(source);
    if (priority === 0) return -1;
    const { pieceCount } = this.#shape;
    let [best, longest] = [-1, 0];
    let row = 0;
    for (let i = 0; i < pieceCount && (best < 0 || i < MAX_ROW_SEARCH); i++) {
      const piece = (source.cursor + i) % pieceCount;
      if (piece === 0) row = 0;
      if (this.#priority[piece] !== priority || !this.#untouched(source, piece)) {
        row = 0;
        continue;
      }
      if (++row > longest) [best, longest] = [piece - row + 1, row];
      if (row === count) break;
    }
    return best;
  }

  /** The highest priority of pieces that nobody fetches and the source has; 0 without any. */
  #highestUntouched(source: RunSource): number {
    for (let place = 0; place < this.#order.length; place++) {
      const piece = this.#order.at(place);
      if (source.has(piece)) return this.#priority[piece];
    }
    return 0;
  }

  #untouched(source: RunSource, piece: number): boolean {
    return this.#pickable(piece) && (this.wants(piece) || this.#deadlines.has(piece) && !this.#have.has(piece)) &&
      source.has(piece);
  }

  #takeRow(source: RunSource, first: number, bytes: number): BlockRun {
    const { pieceCount } = this.#shape;
    const priority = this.#priority[first];
    let length = 0;
    let piece = first;
    do {
      const open = this.#openPiece(piece, source.key);
      open.blocks.fill(1);
      this.#freeBlocks -= open.free;
      open.free = 0;
      length += this.#shape.pieceSize(piece++);
    } while (
      piece < pieceCount && length + this.#shape.pieceSize(piece) <= bytes && this.#priority[piece] === priority &&
      this.#untouched(source, piece)
    );
    source.cursor = piece % pieceCount;
    return { piece: first, block: 0, length };
  }

  /**
   * The first blocks in a row of an open piece that were asked of `copies` sources: of a piece that no source fetches
   * alone, or of `anybodys`.
   */
  #takeRest(source: RunSource, copies: number, anybodys: boolean): BlockRun | undefined {
    for (const open of this.#open.values()) {
      if (open.parked || !source.has(open.piece) || !anybodys && open.owner !== undefined) continue;
      const eligible = (block: number): boolean =>
        open.blocks[block] === copies && (copies === 0 || !source.hasRequested(open.piece, block));
      const first = open.blocks.findIndex((_, block) => eligible(block));
      if (first < 0) continue;
      let length = 0;
      for (let block = first; block < open.blocks.length && eligible(block); block++) {
        open.blocks[block]++;
        length += blockSize(this.#shape, open.piece, block);
        if (copies > 0) continue;
        open.free--;
        this.#freeBlocks--;
      }
      return { piece: open.piece, block: first, length };
    }
  }

  /** The next piece to open for a source, or -1. */
  #nextPiece(source: BlockSource): number {
    if (this.sequential) return this.#nextInSequence(source);
    const length = this.#order.length;
    if (length === 0) return -1;
    if (this.#have.count < RANDOM_FIRST_PIECES) {
      const start = this.#random.below(length);
      for (let i = 0; i < length; i++) {
        const piece = this.#order.at((start + i) % length);
        if (source.has(piece)) return piece;
      }
      return -1;
    }
    for (let place = 0; place < length; place++) {
      const piece = this.#order.at(place);
      if (source.has(piece)) return piece;
    }
    return -1;
  }

  #nextInSequence(source: BlockSource): number {
    const count = this.#shape.pieceCount;
    while (this.#sequentialFrom < count && !this.wants(this.#sequentialFrom)) this.#sequentialFrom++;
    for (let piece = this.#sequentialFrom; piece < count; piece++) {
      if (!this.wants(piece) || this.#open.has(piece) || this.#judged.has(piece) || !source.has(piece)) continue;
      return piece;
    }
    return -1;
  }

  #count(pieces: Bitfield, by: number): void {
    for (let piece = pieces.firstSet(); piece >= 0; piece = pieces.firstSet(piece + 1)) {
      this.#holders[piece] += by;
      this.#place(piece);
    }
  }

  #place(piece: number): void {
    const priority = this.wants(piece) && this.#pickable(piece) ? this.#priority[piece] : 0;
    this.#order.place(piece, priority, this.#holders[piece]);
  }

  #pickable(piece: number): boolean {
    return !this.#open.has(piece) && !this.#judged.has(piece);
  }
}

/** Whether a block was just picked: it is asked for only after. */
function isAmong(picked: readonly number[], piece: number, block: number): boolean {
  for (let i = 0; i < picked.length; i += 2) if (picked[i] === piece && picked[i + 1] === block) return true;
  return false;
}
