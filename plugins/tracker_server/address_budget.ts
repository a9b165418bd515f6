/**
 * What each address may use up, in memory that doesn't grow with the number of addresses: cells that addresses share by
 * chance, in two rows. An address is refused only where both of its cells say so, which for one that keeps to its share
 * is next to impossible. One household has many IPv6 addresses: there, the first 64 bits count.
 *
 * @module
 */
import type { PackedAddress } from "./peer_table.ts";
import { WordHash } from "./slot_index.ts";

const ROWS = 2;
// A start and two words of address, for each row (bytes).
const SECRET_BYTES = 3 * 4;

/** Bytes of secret that each of the classes here takes. */
export const BUDGET_SECRET_BYTES = ROWS * SECRET_BYTES;

/** How many of something each address has; never less than it truly has. */
export class AddressCounts {
  // 2 MiB in all; with a million peers at as many addresses a cell counts 4 of them.
  readonly #cells = new Uint32Array(ROWS * 2 ** 18);
  readonly #hashes: readonly WordHash[];

  constructor(secret: Uint8Array) {
    this.#hashes = rowHashes(secret);
  }

  add(address: PackedAddress): void {
    for (const cell of cellsOf(this.#hashes, this.#cells.length, address)) this.#cells[cell]++;
  }

  remove(address: PackedAddress): void {
    for (const cell of cellsOf(this.#hashes, this.#cells.length, address)) this.#cells[cell]--;
  }

  of(address: PackedAddress): number {
    const [one, other] = cellsOf(this.#hashes, this.#cells.length, address);
    return Math.min(this.#cells[one], this.#cells[other]);
  }
}

/** How often each address does something: so many a second, and ten seconds' worth at once after a pause. */
export class AddressRates {
  /** When each cell would be empty again, if nobody added to it (ms). 1 MiB in all. */
  readonly #empty = new Float64Array(ROWS * 2 ** 16);
  readonly #hashes: readonly WordHash[];
  readonly #cost: number;

  constructor(perSecond: number, secret: Uint8Array) {
    this.#cost = 1_000 / perSecond;
    this.#hashes = rowHashes(secret);
  }

  /** Whether an address may do it now; if so, it is counted. */
  take(now: number, address: PackedAddress): boolean {
    const [one, other] = cellsOf(this.#hashes, this.#empty.length, address);
    const least = Math.max(now, Math.min(this.#empty[one], this.#empty[other]));
    if (least - now > BURST - this.#cost) return false;
    for (const cell of [one, other]) this.#empty[cell] = Math.max(this.#empty[cell], least + this.#cost);
    return true;
  }
}

// What may be done at once (ms' worth): a client that starts with all its torrents announces each of them.
const BURST = 10_000;

function rowHashes(secret: Uint8Array): WordHash[] {
  return Array.from(
    { length: ROWS },
    (_, row) => new WordHash(new Uint32Array(secret.slice(row * SECRET_BYTES, (row + 1) * SECRET_BYTES).buffer)),
  );
}

/** An address's cell in each row. */
function cellsOf(
  [one, other]: readonly WordHash[],
  cells: number,
  { six, a, b, d }: PackedAddress,
): [number, number] {
  const row = cells / ROWS;
  const [high, low] = six ? [a, b] : [0, d];
  return [
    one.begin().word(high).word(low).end() & row - 1,
    row + (other.begin().word(high).word(low).end() & row - 1),
  ];
}
