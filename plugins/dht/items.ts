/** Items of BEP 44: values of up to 1,000 bytes under their own hash, or under a key whose owner may change them. @module */
import { byteString, encode, holderOf, type PeerAddress, sha1, signEd25519, utf8Encode, verifyEd25519 } from "weft";
import { ERROR, type ItemFields } from "./krpc.ts";
import type { NodeId } from "./node_id.ts";

// BEP 44's own limits (bytes).
const MAX_VALUE = 1000;
const MAX_SALT = 64;
// Items live two hours after their last put (BEP 44; ms).
const LIFETIME = 2 * 60 * 60_000;
// What strangers may make us remember: about 2 MB.
const MAX_ITEMS = 1_000;
const MAX_PER_HOLDER = 50;

/** An item; with `k` it is mutable. `v` is bencode. */
export interface Item {
  readonly v: Uint8Array;
  readonly k?: Uint8Array;
  readonly sig?: Uint8Array;
  readonly seq?: number;
  readonly salt?: Uint8Array;
}

/** What is wrong with a put. */
export interface Refusal {
  readonly code: number;
  readonly text: string;
}

/** Where an item lives: the hash of its value, or of its key and salt. */
export function itemTarget({ v, k, salt }: { v: Uint8Array; k?: Uint8Array; salt?: Uint8Array }): NodeId {
  return byteString(sha1(k ? concatenate([k, salt ?? new Uint8Array()]) : v));
}

/** The target of a mutable item. */
export function mutableTarget(k: Uint8Array, salt?: Uint8Array): NodeId {
  return itemTarget({ v: new Uint8Array(), k, ...(salt && { salt }) });
}

/**
 * Signs a mutable item.
 *
 * @param seed the 32 bytes of the private key
 * @param v bencode
 */
export function signItem(
  seed: Uint8Array,
  k: Uint8Array,
  { v, seq, salt }: { v: Uint8Array; seq: number; salt?: Uint8Array },
): Item {
  return { v, k, seq, ...(salt && { salt }), sig: signEd25519(seed, signed({ v, seq, salt })) };
}

/** What is wrong with an item, whoever gives it; undefined for a sound one. */
export function itemFault({ v, k, sig, seq, salt }: ItemFields): Refusal | undefined {
  if (!v) return { code: ERROR.protocol, text: "missing v" };
  if (v.length > MAX_VALUE) return { code: ERROR.tooBig, text: "v is longer than 1000 bytes" };
  if (!k) return undefined;
  if (salt && salt.length > MAX_SALT) return { code: ERROR.saltTooBig, text: "salt is longer than 64 bytes" };
  if (!sig || seq === undefined || seq < 0) return { code: ERROR.protocol, text: "missing sig or seq" };
  if (!verifyEd25519(k, signed({ v, seq, salt }), sig)) return { code: ERROR.signature, text: "invalid signature" };
}

/** What a signature covers. */
function signed({ v, seq, salt }: { v: Uint8Array; seq: number; salt?: Uint8Array }): Uint8Array {
  const parts = [utf8Encode(`3:seqi${seq}e1:v`), v];
  if (salt && salt.length > 0) parts.unshift(utf8Encode("4:salt"), encode(salt));
  return concatenate(parts);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export class ItemStore {
  /** The item that was put last at the end. */
  readonly #items = new Map<NodeId, { item: Item; holder: string; at: number }>();
  readonly #holders = new Map<string, number>();

  get size(): number {
    return this.#items.size;
  }

  get(now: number, target: NodeId): Item | undefined {
    const stored = this.#items.get(target);
    return stored && now - stored.at < LIFETIME ? stored.item : undefined;
  }

  /** Stores an item, or says why not. */
  put(now: number, fields: ItemFields, from: PeerAddress): Refusal | undefined {
    const fault = itemFault(fields);
    if (fault) return fault;
    const item = { ...fields, v: fields.v! };
    const target = itemTarget(item);
    const known = this.get(now, target);
    if (known && item.k) {
      if (item.cas !== undefined && item.cas !== known.seq) {
        return { code: ERROR.cas, text: `cas is not ${known.seq}, the present seq` };
      }
      const same = byteString(known.v) === byteString(item.v);
      if (item.seq! < known.seq! || (item.seq === known.seq && !same)) {
        return { code: ERROR.sequence, text: `seq must be greater than ${known.seq}` };
      }
    }
    const holder = holderOf(from);
    this.#remove(target);
    if ((this.#holders.get(holder) ?? 0) >= MAX_PER_HOLDER) {
      return { code: ERROR.server, text: "too many items from this address" };
    }
    if (this.#items.size >= MAX_ITEMS) this.#remove(this.#items.keys().next().value!);
    const { v, k, sig, seq, salt } = item;
    this.#items.set(target, { item: { v, ...(k && { k, sig, seq }), ...(k && salt && { salt }) }, holder, at: now });
    this.#holders.set(holder, (this.#holders.get(holder) ?? 0) + 1);
  }

  /** Forgets what nobody has put for two hours. */
  expire(now: number): void {
    for (const [target, { at }] of this.#items) {
      if (now - at < LIFETIME) break;
      this.#remove(target);
    }
  }

  #remove(target: NodeId): void {
    const stored = this.#items.get(target);
    if (!stored) return;
    this.#items.delete(target);
    const left = this.#holders.get(stored.holder)! - 1;
    if (left > 0) this.#holders.set(stored.holder, left);
    else this.#holders.delete(stored.holder);
  }
}
