// Failed attempts at pieces are kept as block digests, so that a later right one tells which blocks were wrong.
import { bytesEqual, createSha1 } from "../wire/mod.ts";

/** Bytes of a block, the unit that peers are asked for and blamed by. */
export const BLOCK_BYTES = 16 * 1024;
const DIGEST_BYTES = 20;
// Guards against peers that spoil piece after piece to fill memory: 4 MiB are 200 failed pieces of 16 MiB.
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/** SHA-1 digests of the blocks of one piece, one after another. */
export type BlockDigests = Uint8Array;

/** Collects {@link BlockDigests} from runs of whole blocks, given in order. */
export class BlockDigester {
  readonly digests: BlockDigests;
  #at = 0;

  /** For a piece of `size` bytes. */
  constructor(size: number) {
    this.digests = new Uint8Array(Math.ceil(size / BLOCK_BYTES) * DIGEST_BYTES);
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      const hasher = createSha1();
      hasher.update(bytes.subarray(at, at + BLOCK_BYTES));
      this.digests.set(hasher.digest(), this.#at);
      this.#at += DIGEST_BYTES;
    }
  }
}

/** The failed attempts at the pieces of one torrent; the oldest are forgotten when there are too many. */
export class FailedAttempts {
  readonly #kept = new Map<number, BlockDigests[]>();
  #bytes = 0;

  has(piece: number): boolean {
    return this.#kept.has(piece);
  }

  add(piece: number, digests: BlockDigests): void {
    const attempts = this.#kept.get(piece);
    if (attempts) attempts.push(digests);
    else this.#kept.set(piece, [digests]);
    this.#bytes += digests.length;
    for (const [oldest, theirs] of this.#kept) {
      if (this.#bytes <= MAX_KEPT_BYTES) break;
      this.#bytes -= theirs.shift()!.length;
      if (theirs.length === 0) this.#kept.delete(oldest);
    }
  }

  /** For each attempt at the piece, the blocks that differ from the `right` ones. Forgets the attempts. */
  compare(piece: number, right: BlockDigests): number[][] {
    const attempts = this.#kept.get(piece) ?? [];
    this.#kept.delete(piece);
    return attempts.map((digests) => {
      this.#bytes -= digests.length;
      const wrong: number[] = [];
      for (let at = 0; at < right.length; at += DIGEST_BYTES) {
        const same = bytesEqual(digests.subarray(at, at + DIGEST_BYTES), right.subarray(at, at + DIGEST_BYTES));
        if (!same) wrong.push(at / DIGEST_BYTES);
      }
      return wrong;
    });
  }
}
