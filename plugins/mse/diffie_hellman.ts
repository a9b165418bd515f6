// The key exchange of message stream encryption: Diffie-Hellman over a 768-bit prime, generator 2.
import { fromHex, ProtocolError, toHex } from "weft";

/** Bytes of a public key, and of the shared secret. */
export const DH_KEY_LENGTH = 96;
/** Bytes of a private key: 160 bits, as the specification advises; more make it no safer. */
export const DH_PRIVATE_KEY_LENGTH = 20;

const P = BigInt(
  "0xFFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563",
);
const G = 2n;

/**
 * One side's keys. In plain numbers rather than by the platform's interface, which on Deno 2.4 makes its own private
 * keys, and is no faster. Not in constant time: this hides a protocol, and no key is used twice.
 */
export class DhKeyPair {
  /** 96 bytes, for the other side. */
  readonly publicKey: Uint8Array;
  readonly #exponent: bigint;

  /** Makes the pair from 20 random bytes. */
  constructor(privateKey: Uint8Array) {
    this.#exponent = toNumber(privateKey);
    this.publicKey = toBytes(power(G, this.#exponent));
  }

  /**
   * The secret (96 bytes) that the other side computes too.
   *
   * @throws {ProtocolError} when their key is one that makes the secret known to everybody
   */
  secret(theirs: Uint8Array): Uint8Array {
    const y = toNumber(theirs);
    // 0, 1 and p - 1 lead to a secret of 0, 1 or p - 1; what is p or more is no number modulo p.
    if (y <= 1n || y >= P - 1n) {
      throw new ProtocolError("Cannot encrypt: the peer's public key must lie between 1 and p - 1");
    }
    return toBytes(power(y, this.#exponent));
  }
}

/** `base` to the power of `exponent`, modulo p: square, and multiply where there is a 1. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = result * result % P;
    if (bit === "1") result = result * base % P;
  }
  return result;
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

function toBytes(number: bigint): Uint8Array {
  return fromHex(number.toString(16).padStart(2 * DH_KEY_LENGTH, "0"));
}
