/**
 * Puts the metadata of one torrent together from what several peers send: a pure machine.
 *
 * Peers who say the same size share one assembly. When its hash is wrong somebody lied, and who can't be told: from
 * then on each of them brings the whole alone, so that a lie has a name and the honest ones still complete it.
 *
 * @module
 */
import { ProtocolError } from "weft";
import { MAX_METADATA, METADATA_PIECE, pieceCount, pieceSize } from "./codec.ts";

/** Names a peer: any object that is that peer's alone. */
export type PeerKey = object;

/** A piece to ask a peer for. */
export interface PieceRequest {
  readonly peer: PeerKey;
  readonly piece: number;
}

// Pieces asked of one peer at once: enough for a round trip of a second at 64 KiB/s, and little to lose.
const PIPELINE = 4;
// A peer that is slower than this doesn't hold others up (ms).
const SLOW = 3_000;
// A peer that answers nothing for so long (ms) doesn't: 1.1 kB/s are enough.
const TIMEOUT = 15_000;
// A peer that has refused, or stayed silent, is asked again after so long (ms): it may have the metadata by then.
const REST = 30_000;
// Assemblies that hold bytes at once; others wait. With MAX_METADATA this bounds the memory.
const MAX_ASSEMBLIES = 3;
// One that gets no further makes room for others who need it after so long (ms): a few bytes must not keep it for ever.
const STALLED = 20_000;
// One that does get further has its turn, each one twice as long as the one before: who sends a piece now and then must
// not keep it for hours, and a slow link needs its time. After a turn, others begin first (ms).
const TURN = 60_000;
const AFTER_TURN = 30_000;
// Answers to no question: what was on its way when a round began anew, and little more.
const MAX_UNSOLICITED = 16;

/** Bytes of one size, from all who say so or from one alone. */
class Assembly {
  readonly pieces: (Uint8Array | undefined)[];
  readonly sources = new Set<PeerKey>();
  missing: number;
  /** When a piece last came (ms). */
  progressAt = 0;
  /** When its turn began, the present one or the last, and how long one is (ms). */
  turnAt = -1;
  turn = TURN;
  /** It has had its turn: not before this (ms) does it begin anew. */
  waitsUntil = -Infinity;

  constructor(readonly size: number, readonly alone?: PeerKey) {
    this.pieces = new Array(pieceCount(size));
    this.missing = this.pieces.length;
  }

  get begun(): boolean {
    return this.sources.size > 0;
  }

  /** Gives its bytes up. */
  clear(): void {
    this.pieces.fill(undefined);
    this.sources.clear();
    this.missing = this.pieces.length;
  }
}

interface Peer {
  readonly size: number;
  readonly assembly: Assembly;
  /** When each piece was asked for. */
  readonly asked: Map<number, number>;
  /** Pieces that were asked for and given up, and how many answers may come yet. */
  readonly late: Map<number, number>;
  /** When a piece last came (ms). */
  answeredAt: number;
  restsUntil: number;
  unsolicited: number;
}

/** A whole that waits for its hash to be checked. */
export interface Candidate {
  readonly bytes: Uint8Array;
  /** Who sent its pieces. */
  readonly sources: ReadonlySet<PeerKey>;
}

/** Whether late answers still come: on a slow link, asking again would only fill it. */
function comes(peer: Peer, now: number): boolean {
  return now - peer.answeredAt < REST;
}

/** Answers that a peer owes, but those that don't come. */
function underWay(peer: Peer, now: number): number {
  return peer.asked.size + (comes(peer, now) ? peer.late.size : 0);
}

/** Whether a late answer was still to come; it is not, any more. */
function takeLate({ late }: Peer, piece: number): boolean {
  const left = late.get(piece);
  if (left === undefined) return false;
  if (left > 1) late.set(piece, left - 1);
  else late.delete(piece);
  return true;
}

export class MetadataFetch {
  readonly #peers = new Map<PeerKey, Peer>();
  readonly #shared = new Map<number, Assembly>();
  /** Those who took part in a lie, or suffered one: each brings the whole alone. */
  readonly #suspects = new WeakSet<PeerKey>();
  #judged: Assembly | undefined;

  /** Bytes that it holds. */
  get held(): number {
    let held = 0;
    for (const assembly of this.#assemblies()) {
      for (const piece of assembly.pieces) held += piece?.length ?? 0;
    }
    return held;
  }

  /**
   * A peer says that it has metadata of `size` bytes.
   *
   * @throws {ProtocolError} when no metadata is that large
   */
  join(peer: PeerKey, size: number): void {
    if (!(size > 0 && size <= MAX_METADATA)) {
      throw new ProtocolError(`Cannot fetch metadata: size must be 1 to ${MAX_METADATA}, the peer said ${size}`);
    }
    if (this.#peers.get(peer)?.size === size) return;
    this.leave(peer);
    const alone = this.#suspects.has(peer);
    const assembly = alone ? new Assembly(size, peer) : this.#shared.get(size) ?? new Assembly(size);
    if (!alone) this.#shared.set(size, assembly);
    this.#peers.set(peer, {
      size,
      assembly,
      asked: new Map(),
      late: new Map(),
      answeredAt: -Infinity,
      restsUntil: 0,
      unsolicited: 0,
    });
  }

  /** The peer is gone, or has no metadata any more. */
  leave(peer: PeerKey): void {
    const assembly = this.#peers.get(peer)?.assembly;
    if (!this.#peers.delete(peer) || assembly?.alone) return;
    if (assembly && !assembly.begun) this.#dropUnused(assembly);
  }

  /** What to ask for now. */
  poll(now: number): PieceRequest[] {
    const requests: PieceRequest[] = [];
    // Where there is room for one more, whoever waited longest comes first.
    for (
      const [key, peer] of [...this.#peers].sort(([, a], [, b]) => Math.sign(a.assembly.turnAt - b.assembly.turnAt))
    ) {
      for (const [piece, at] of peer.asked) {
        // Answers come one behind the other, and a slow link takes its time for each.
        if (now - Math.max(at, peer.answeredAt) < TIMEOUT) continue;
        peer.asked.delete(piece);
        peer.late.set(piece, 1 + (peer.late.get(piece) ?? 0));
        peer.restsUntil = now + REST;
      }
      while (underWay(peer, now) < PIPELINE && now >= peer.restsUntil) {
        const piece = this.#next(peer, now);
        if (piece === undefined) break;
        peer.asked.set(piece, now);
        requests.push({ peer: key, piece });
      }
    }
    return requests;
  }

  /**
   * A piece came. Its bytes are copied.
   *
   * @throws {ProtocolError} when it can't be a piece of what the peer said it has
   */
  data(now: number, key: PeerKey, piece: number, totalSize: number, bytes: Uint8Array): void {
    const peer = this.#peers.get(key);
    if (!peer) return;
    if (!peer.asked.delete(piece) && !takeLate(peer, piece)) {
      if (++peer.unsolicited > MAX_UNSOLICITED) {
        throw new ProtocolError("Cannot take metadata: the peer sends what it was not asked for");
      }
      return;
    }
    if (totalSize !== peer.size) {
      throw new ProtocolError(`Cannot take metadata: size must be ${peer.size}, the peer says ${totalSize} now`);
    }
    const length = pieceSize(peer.size, piece);
    if (bytes.length !== length) {
      throw new ProtocolError(
        `Cannot take metadata: piece ${piece} must have ${length} bytes, current value is ${bytes.length}`,
      );
    }
    peer.answeredAt = now;
    const { assembly } = peer;
    if (!assembly.begun && !this.#mayBegin(assembly, now)) return; // others have their turn
    if (assembly.pieces[piece]) return; // another one was quicker
    assembly.pieces[piece] = bytes.slice();
    assembly.sources.add(key);
    assembly.missing--;
    assembly.progressAt = now;
  }

  /** The peer doesn't give a piece. */
  reject(now: number, key: PeerKey, piece: number): void {
    const peer = this.#peers.get(key);
    if (peer && (peer.asked.delete(piece) || takeLate(peer, piece))) peer.restsUntil = now + REST;
  }

  /** The next whole to check; answer with {@link verdict} before the next call. */
  candidate(): Candidate | undefined {
    if (this.#judged) return undefined;
    for (const assembly of this.#assemblies()) {
      if (assembly.missing > 0) continue;
      this.#judged = assembly;
      const bytes = new Uint8Array(assembly.size);
      assembly.pieces.forEach((piece, i) => bytes.set(piece!, i * METADATA_PIECE));
      return { bytes, sources: assembly.sources };
    }
    return undefined;
  }

  /**
   * Whether the candidate was right. If not, it is dropped.
   *
   * @returns the peers that surely lied
   */
  verdict(right: boolean): PeerKey[] {
    const assembly = this.#judged;
    this.#judged = undefined;
    if (right || !assembly) return [];
    // Others may share another one of the same size.
    if (this.#shared.get(assembly.size) === assembly) this.#shared.delete(assembly.size);
    const sharers = [...this.#peers].filter(([, peer]) => peer.assembly === assembly).map(([key]) => key);
    const liars = assembly.sources.size === 1 ? [...assembly.sources] : [];
    for (const key of [...sharers, ...assembly.sources]) this.#suspects.add(key);
    for (const key of sharers) {
      const { size } = this.#peers.get(key)!;
      this.#peers.delete(key);
      if (!liars.includes(key)) this.join(key, size);
    }
    return liars;
  }

  *#assemblies(): Iterable<Assembly> {
    yield* this.#shared.values();
    for (const { assembly } of this.#peers.values()) if (assembly.alone) yield assembly;
  }

  /** A piece nobody was asked for, else one that somebody is slow with. */
  #next(peer: Peer, now: number): number | undefined {
    const { assembly } = peer;
    if (!assembly.begun && !this.#mayBegin(assembly, now)) return undefined;
    const late = comes(peer, now);
    let slow: number | undefined;
    for (let piece = 0; piece < assembly.pieces.length; piece++) {
      if (assembly.pieces[piece] || peer.asked.has(piece) || late && peer.late.has(piece)) continue;
      const since = this.#askedSince(assembly, piece);
      if (since === undefined) return piece;
      if (slow === undefined && now - since > SLOW) slow = piece;
    }
    return slow;
  }

  /** When a piece was last asked of anybody. */
  #askedSince(assembly: Assembly, piece: number): number | undefined {
    let since: number | undefined;
    for (const peer of this.#peers.values()) {
      const at = peer.assembly === assembly ? peer.asked.get(piece) : undefined;
      if (at !== undefined) since = Math.max(since ?? 0, at);
    }
    return since;
  }

  /**
   * Only so many are begun at once: those that are asked for count. One that gets no further, or has had its turn, gives
   * its bytes up.
   */
  #mayBegin(assembly: Assembly, now: number): boolean {
    if (now < assembly.waitsUntil) return false;
    const busy = new Set([...this.#assemblies()].filter(({ begun }) => begun));
    for (const peer of this.#peers.values()) if (peer.asked.size > 0) busy.add(peer.assembly);
    if (busy.has(assembly)) return true;
    if (busy.size < MAX_ASSEMBLIES) {
      assembly.turnAt = now;
      return true;
    }
    for (const other of busy) {
      if (!other.begun || other.missing === 0) continue;
      if (now - other.progressAt > STALLED) other.clear();
      else if (now - other.turnAt > other.turn) this.#endTurn(other, now);
      else continue;
      this.#dropUnused(other);
    }
    return false; // there may be room the next time
  }

  /** Others need the room. What was asked for may come yet, and is thrown away. */
  #endTurn(assembly: Assembly, now: number): void {
    assembly.clear();
    assembly.turn *= 2;
    assembly.waitsUntil = now + AFTER_TURN;
    for (const peer of this.#peers.values()) {
      if (peer.assembly !== assembly) continue;
      for (const piece of peer.asked.keys()) peer.late.set(piece, 1 + (peer.late.get(piece) ?? 0));
      peer.asked.clear();
    }
  }

  /** Forgets an assembly if nobody shares it any more. */
  #dropUnused(assembly: Assembly): void {
    for (const peer of this.#peers.values()) if (peer.assembly === assembly) return;
    if (this.#shared.get(assembly.size) === assembly) this.#shared.delete(assembly.size);
  }
}
