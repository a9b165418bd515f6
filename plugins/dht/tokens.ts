/** Tokens of BEP 5: they prove that whoever announces receives what is sent to its address. @module */
import { bytesEqual, holderOf, type PeerAddress, type Random, sha1, utf8Encode } from "weft";

// A secret is used for so long, and believed for as long again: a token lives 5 to 10 minutes (ms).
const ROTATION = 5 * 60_000;
const SECRET_LENGTH = 16;
// Half of the 2^32 guesses would take years within the budget of one address.
const TOKEN_LENGTH = 4;

/** The secrets behind tokens, to hand on to another generation. */
export interface TokenSecrets {
  readonly current: Uint8Array;
  readonly previous: Uint8Array;
}

export class Tokens {
  readonly #random: Random;
  #current: Uint8Array;
  #previous: Uint8Array;
  #rotated: number;

  constructor(now: number, random: Random, secrets?: TokenSecrets) {
    this.#random = random;
    // Handed on, the present secret may be old already: it counts as the previous one.
    this.#current = random.bytes(SECRET_LENGTH);
    this.#previous = secrets?.current ?? random.bytes(SECRET_LENGTH);
    this.#rotated = now;
  }

  get secrets(): TokenSecrets {
    return { current: this.#current, previous: this.#previous };
  }

  /** The token of whoever holds an address. */
  issue(now: number, to: PeerAddress): Uint8Array {
    this.#rotate(now);
    return tokenOf(this.#current, to);
  }

  /** Whether a token was issued to this address within the last 10 minutes. */
  valid(now: number, from: PeerAddress, token: Uint8Array): boolean {
    this.#rotate(now);
    return [this.#current, this.#previous].some((secret) => bytesEqual(tokenOf(secret, from), token));
  }

  #rotate(now: number): void {
    const turns = Math.floor((now - this.#rotated) / ROTATION);
    if (turns <= 0) return;
    this.#rotated += turns * ROTATION;
    this.#previous = turns === 1 ? this.#current : this.#random.bytes(SECRET_LENGTH);
    this.#current = this.#random.bytes(SECRET_LENGTH);
  }
}

function tokenOf(secret: Uint8Array, address: PeerAddress): Uint8Array {
  const holder = utf8Encode(holderOf(address));
  const input = new Uint8Array(SECRET_LENGTH + holder.length);
  input.set(secret);
  input.set(holder, SECRET_LENGTH);
  return sha1(input).subarray(0, TOKEN_LENGTH);
}
