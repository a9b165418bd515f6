/**
 * Pieces in the order in which they are wanted: by priority, then rarest first, random among equals.
 *
 * Pieces of one rank stand together in one array; a piece that moves to the next rank swaps with the edge of its own,
 * so that a `have` costs a constant time however many pieces there are.
 *
 * @module
 */
import type { Random } from "../../api/mod.ts";

/** Priorities: 0 is never, 7 is first. */
export const MAX_PRIORITY = 7;
// Beyond this many holders a piece is common, and the difference no longer matters.
const MAX_AVAILABILITY = 31;
const RANKS_PER_PRIORITY = MAX_AVAILABILITY + 1;
/** Rank of pieces that are not to be picked: not wanted, there already, or nobody has them. */
const NEVER = MAX_PRIORITY * RANKS_PER_PRIORITY;

export class PieceOrder {
  readonly #order: Uint32Array;
  readonly #position: Uint32Array;
  readonly #rank: Uint16Array;
  /** Where each rank begins in `#order`; one more at the end. */
  readonly #starts = new Uint32Array(NEVER + 2);

  /** All pieces begin as not to be picked. */
  constructor(pieceCount: number, random: Random) {
    this.#order = Uint32Array.from({ length: pieceCount }, (_, i) => i);
    for (let i = pieceCount - 1; i > 0; i--) {
      const j = random.below(i + 1);
      const swapped = this.#order[i];
      this.#order[i] = this.#order[j];
      this.#order[j] = swapped;
    }
    this.#position = new Uint32Array(pieceCount);
    for (let i = 0; i < pieceCount; i++) this.#position[this.#order[i]] = i;
    this.#rank = new Uint16Array(pieceCount).fill(NEVER);
    this.#starts[NEVER + 1] = pieceCount;
  }

  /** How many pieces may be picked. */
  get length(): number {
    return this.#starts[NEVER];
  }

  /** The piece at a place of the order, 0 being the most wanted. */
  at(place: number): number {
    return this.#order[place];
  }

  /** Puts a piece where its priority and its holders place it; priority 0 takes it out. */
  place(piece: number, priority: number, holders: number): void {
    const rank = rankOf(priority, holders);
    let at = this.#rank[piece];
    while (at < rank) {
      // The last of its rank becomes the first of the next.
      this.#swap(this.#position[piece], --this.#starts[at + 1]);
      at++;
    }
    while (at > rank) {
      this.#swap(this.#position[piece], this.#starts[at]++);
      at--;
    }
    this.#rank[piece] = rank;
  }

  /** Places all pieces anew at once, keeping the random order among equals. */
  rebuild(priority: (piece: number) => number, holders: ArrayLike<number>): void {
    const counts = new Uint32Array(NEVER + 1);
    for (let piece = 0; piece < this.#rank.length; piece++) {
      counts[this.#rank[piece] = rankOf(priority(piece), holders[piece])]++;
    }
    this.#starts[0] = 0;
    for (let rank = 0; rank <= NEVER; rank++) this.#starts[rank + 1] = this.#starts[rank] + counts[rank];
    const next = this.#starts.slice();
    for (const piece of this.#order.slice()) {
      const at = next[this.#rank[piece]]++;
      this.#order[at] = piece;
      this.#position[piece] = at;
    }
  }

  #swap(a: number, b: number): void {
    if (a === b) return;
    const piece = this.#order[a], other = this.#order[b];
    this.#order[a] = other;
    this.#order[b] = piece;
    this.#position[other] = a;
    this.#position[piece] = b;
  }
}

function rankOf(priority: number, holders: number): number {
  if (priority === 0) return NEVER;
  return (MAX_PRIORITY - priority) * RANKS_PER_PRIORITY + Math.min(holders, MAX_AVAILABILITY);
}
