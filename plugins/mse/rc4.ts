// RC4, as message stream encryption uses it: obfuscation against middleboxes, not secrecy.
import { createRc4Module, groupStartsIn } from "./rc4_wasm.ts";

const S_SIZE = 256;
/** Bytes of a state: the permutation, then i and j. */
export const RC4_STATE_SIZE = S_SIZE + 2;
const I = S_SIZE;
const J = S_SIZE + 1;
// Below so many bytes, copying to WebAssembly's memory and back costs more than it saves.
const WORTH_COPYING = 256;

const fast = createRc4Module();

/** One direction of an RC4 stream: a keystream that goes on from call to call. */
export class Rc4 {
  readonly #state: Uint8Array;

  /** Starts with a key of 1 to 256 bytes, and throws away the first `discard` bytes of the keystream. */
  constructor(key: Uint8Array, discard = 0) {
    this.#state = schedule(key);
    this.crypt(new Uint8Array(discard));
  }

  /** Encrypts or decrypts `from` into the start of `into`, which may be the same bytes. */
  crypt(from: Uint8Array, into: Uint8Array = from): void {
    const state = this.#state;
    if (from.length < WORTH_COPYING) return cryptSlowly(state, from, into);
    const begin = groupStartsIn(state);
    cryptSlowly(state, from, into, 0, begin);
    cryptSlowly(state, from, into, fast(state, from, into, begin));
  }
}

function schedule(key: Uint8Array): Uint8Array {
  const state = new Uint8Array(RC4_STATE_SIZE);
  for (let i = 0; i < S_SIZE; i++) state[i] = i;
  for (let i = 0, j = 0; i < S_SIZE; i++) {
    const a = state[i];
    j = (j + a + key[i % key.length]) & 0xff;
    state[i] = state[j];
    state[j] = a;
  }
  return state;
}

/** In plain JavaScript, from index `at` to `end`. Exported for tests and the benchmark. */
export function cryptSlowly(
  state: Uint8Array,
  from: Uint8Array,
  into: Uint8Array,
  at = 0,
  end: number = from.length,
): void {
  let i = state[I];
  let j = state[J];
  for (; at < end; at++) {
    i = (i + 1) & 0xff;
    const a = state[i];
    j = (j + a) & 0xff;
    const b = state[j];
    state[i] = b;
    state[j] = a;
    into[at] = from[at] ^ state[(a + b) & 0xff];
  }
  state[I] = i;
  state[J] = j;
}
