/** What a failed piece says about who sent it. Peers are session ids. */
export interface PieceBlame {
  /** The one peer that sent all of it: proof. */
  readonly only?: number;
  /** Peers that spoiled too many pieces by now, with nobody else to suspect. */
  readonly ban: readonly number[];
}

/** One download of a piece. */
interface Attempt {
  /** By block: who sent it, {@link mixed} when more than one had a part in it, or a hole when that isn't known. */
  readonly senders: number[];
  readonly all: Set<number>;
}

/** What is known of one peer. */
interface PeerRecord {
  /** Failed pieces that it had a part in and was not cleared of. */
  readonly bad: Set<number>;
  /** A block of its was in a piece that verified, or equal to one. */
  delivered: boolean;
}

/**
 * Remembers who sent which block, so that a bad piece is blamed on whom it can be proven against and on nobody else.
 *
 * Proof is a block that one peer sent and that differs from the verified one, or a failed piece that one peer alone
 * sent. Without proof a peer is blamed at its fifth bad piece, if it never delivered a good block while all the others
 * in that piece did, and failed less.
 */
export class Blame {
  readonly #open = new Map<number, Attempt>();
  readonly #failed = new Map<number, Attempt[]>();
  readonly #records = new Map<number, PeerRecord>();
  #keptBlocks = 0;

  /** Notes that session `peer` (0 or more) sends bytes of a block, which may be its second sender. */
  record(piece: number, block: number, peer: number): void {
    let attempt = this.#open.get(piece);
    if (!attempt) this.#open.set(piece, attempt = { senders: [], all: new Set() });
    const earlier = attempt.senders[block];
    attempt.senders[block] = earlier === undefined || earlier === peer ? peer : mixed;
    attempt.all.add(peer);
  }

  /** By block of an open piece, who sent it: undefined where nobody is known, or more than one. */
  senders(piece: number): (number | undefined)[] {
    return Array.from(this.#open.get(piece)?.senders ?? [], (sender) => sender === mixed ? undefined : sender);
  }

  /**
   * The piece does not match its hash. Keeps who sent what until it does; the piece is empty again. Give `blocks`, how
   * many it has, where some of it may have come from elsewhere, such as an earlier run.
   */
  failed(piece: number, blocks?: number): PieceBlame {
    const attempt = this.#open.get(piece) ?? { senders: [], all: new Set<number>() };
    this.#open.delete(piece);
    this.#keep(piece, attempt);
    for (const peer of attempt.all) {
      const { bad } = this.#recordOf(peer);
      if (bad.size < maxBadKept) bad.add(piece);
    }
    const only = soleSender(attempt, blocks);
    if (only !== undefined) return { only, ban: [] };
    return { ban: [...attempt.all].filter((peer) => this.#isSpoiler(peer, attempt.all)) };
  }

  /**
   * The piece is verified. `wrong` has, for each earlier failed attempt, the blocks that differ from the right ones; when
   * it has fewer than there were, they are the latest. Returns the peers who sent them, and clears those who sent none.
   */
  proven(piece: number, wrong: readonly (readonly number[])[]): number[] {
    for (const peer of this.#open.get(piece)?.senders ?? []) if (peer >= 0) this.#recordOf(peer).delivered = true;
    const attempts = this.#failed.get(piece) ?? [];
    const liars = new Set<number>();
    const suspects = new Set<number>();
    const innocent = new Set<number>();
    for (let back = 1; back <= attempts.length; back++) {
      const { senders, all } = attempts[attempts.length - back];
      const differing = wrong[wrong.length - back];
      if (!differing) {
        for (const peer of all) suspects.add(peer);
        continue;
      }
      const isWrong = new Set(differing);
      for (const [block, sender] of senders.entries()) {
        if (sender === undefined || sender === mixed) continue;
        if (isWrong.has(block)) liars.add(sender);
        else innocent.add(sender);
      }
      // Two had a part in a wrong block: neither is proven wrong, nor cleared.
      if (differing.some((block) => senders[block] === mixed)) { for (const peer of all) suspects.add(peer); }
    }
    for (const peer of innocent) {
      if (liars.has(peer)) continue;
      const record = this.#recordOf(peer);
      record.delivered = true;
      if (!suspects.has(peer)) record.bad.delete(piece);
    }
    return [...liars];
  }

  /** Forgets who sent the piece, now and in earlier attempts. */
  drop(piece: number): void {
    this.#open.delete(piece);
    for (const attempt of this.#failed.get(piece) ?? []) this.#keptBlocks -= cost(attempt);
    this.#failed.delete(piece);
  }

  #isSpoiler(peer: number, all: ReadonlySet<number>): boolean {
    const { bad, delivered } = this.#recordOf(peer);
    if (delivered || bad.size < maxBadPieces) return false;
    for (const other of all) {
      if (other === peer) continue;
      const theirs = this.#recordOf(other);
      if (!theirs.delivered || theirs.bad.size >= bad.size) return false;
    }
    return true;
  }

  #recordOf(peer: number): PeerRecord {
    let record = this.#records.get(peer);
    if (!record) {
      if (this.#records.size >= maxRecords) this.#records.delete(this.#records.keys().next().value!);
      this.#records.set(peer, record = { bad: new Set(), delivered: false });
    }
    return record;
  }

  #keep(piece: number, attempt: Attempt): void {
    const attempts = this.#failed.get(piece);
    if (attempts) attempts.push(attempt);
    else this.#failed.set(piece, [attempt]);
    this.#keptBlocks += cost(attempt);
    for (const [oldest, theirs] of this.#failed) {
      if (this.#keptBlocks <= maxKeptBlocks) break;
      this.#keptBlocks -= cost(theirs.shift()!);
      if (theirs.length === 0) this.#failed.delete(oldest);
    }
  }
}

/** In place of a sender: several peers had a part in the block. */
const mixed = -1;
/** Bad pieces after which a peer that delivered nothing good is blamed without proof. */
const maxBadPieces = 5;
/** Bad pieces remembered of one peer: more would change nothing. */
const maxBadKept = 64;
/** Blocks of failed attempts remembered, about 2 MiB: peers that spoil piece after piece can't fill memory. */
const maxKeptBlocks = 2 ** 18;
/** Peers remembered: those who come and go can't fill memory. */
const maxRecords = 4_096;

function cost(attempt: Attempt): number {
  return attempt.senders.length + 1;
}

/** The peer that sent every block, when one did. */
function soleSender({ senders, all }: Attempt, blocks = senders.length): number | undefined {
  if (all.size !== 1 || senders.length !== blocks) return undefined;
  const [only] = all;
  for (let block = 0; block < blocks; block++) if (senders[block] !== only) return undefined;
  return only;
}
