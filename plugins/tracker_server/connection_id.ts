/** Connection ids of a UDP tracker (BEP 15): proof that an asker receives what is sent to its address. @module */
import { sipHash, SIPHASH_KEY_LENGTH } from "./siphash.ts";

/** Bytes of the secret behind them. */
export const CONNECTION_SECRET_LENGTH = SIPHASH_KEY_LENGTH;
// An id says in which of these spans it was given (ms), and is good for so many more: two minutes at least.
const SPAN = 8_000;
const LIFE = 15;

/**
 * Gives and checks connection ids, and remembers none: an id is made of a secret, the time and the IP address, so that
 * nobody who does not receive it can know it. Its first byte is 0, as that of the request for one.
 */
export class ConnectionIds {
  readonly #secret: Uint8Array;

  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** An id for `ip` (4 or 16 bytes): 64 bits, unsigned. */
  give(now: number, ip: Uint8Array): bigint {
    return this.#idOf(Math.floor(now / SPAN), ip);
  }

  /** Whether `id` was given to `ip` within the last two minutes or so. */
  check(now: number, ip: Uint8Array, id: bigint): boolean {
    const span = Math.floor(now / SPAN);
    const age = (span - Number(id >> 48n)) & 0xff;
    return age <= LIFE && id === this.#idOf(span - age, ip);
  }

  /** A zero, the span's last byte, and six bytes of a keyed hash: too many to guess within two minutes. */
  #idOf(span: number, ip: Uint8Array): bigint {
    const input = new Uint8Array(8 + ip.length);
    new DataView(input.buffer).setFloat64(0, span);
    input.set(ip, 8);
    const id = sipHash(this.#secret, input);
    id[0] = 0;
    id[1] = span & 0xff;
    return new DataView(id.buffer).getBigUint64(0);
  }
}
