import { createHash, createPrivateKey, createPublicKey, type Hash, sign, verify } from "node:crypto";
import { byteString, fromHex } from "./text.ts";

/** A running hash: feed it bytes in order, then ask once for the digest. */
export interface Hasher {
  /** Adds bytes; they may be reused by the caller afterwards. */
  update(bytes: Uint8Array): void;
  /** The digest of all that was added. Call it once; the hasher is spent then. */
  digest(): Uint8Array;
}

class NodeHasher implements Hasher {
  readonly #hash: Hash;

  constructor(algorithm: "sha1" | "sha256") {
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.digest());
  }
}

/** A SHA-1 in progress: 20 bytes, for pieces and info-hashes (BEP 3). */
export function createSha1(): Hasher {
  return new NodeHasher("sha1");
}

/** A SHA-256 in progress: 32 bytes, for v2 info-hashes (BEP 52). */
export function createSha256(): Hasher {
  return new NodeHasher("sha256");
}

/** The SHA-1 of some bytes: 20 bytes. */
export function sha1(bytes: Uint8Array): Uint8Array {
  const hasher = createSha1();
  hasher.update(bytes);
  return hasher.digest();
}

/** The SHA-256 of some bytes: 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const hasher = createSha256();
  hasher.update(bytes);
  return hasher.digest();
}

// What stands before the 32 bytes of an Ed25519 key in DER (RFC 8410): a public one, and the seed of a private one.
const PUBLIC_DER = fromHex("302a300506032b6570032100");
const PRIVATE_DER = fromHex("302e020100300506032b657004220420");
const ED25519_KEY_LENGTH = 32;
const ED25519_SIGNATURE_LENGTH = 64;

/** Whether a signature (64 bytes) of a message is by the owner of an Ed25519 public key (32 bytes). It never throws. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== ED25519_KEY_LENGTH || signature.length !== ED25519_SIGNATURE_LENGTH) return false;
  try {
    return verify(null, message, createPublicKey(pem("PUBLIC KEY", PUBLIC_DER, publicKey)), signature);
  } catch {
    return false; // bytes that are no point of the curve
  }
}

/** Signs a message with the seed (32 bytes) of an Ed25519 private key: 64 bytes. Throws TypeError on another length. */
export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, createPrivateKey(privatePem(seed))));
}

/** The public key (32 bytes) that belongs to a seed (32 bytes). Throws TypeError on another length. */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  const exported = createPublicKey(privatePem(seed)).export({ format: "der", type: "spki" });
  return new Uint8Array(exported.subarray(PUBLIC_DER.length));
}

function privatePem(seed: Uint8Array): string {
  if (seed.length !== ED25519_KEY_LENGTH) {
    throw new TypeError(`Cannot sign: the seed must have 32 bytes, current value has ${seed.length}`);
  }
  return pem("PRIVATE KEY", PRIVATE_DER, seed);
}

function pem(label: string, prefix: Uint8Array, key: Uint8Array): string {
  return `-----BEGIN ${label}-----\n${btoa(byteString(prefix) + byteString(key))}\n-----END ${label}-----`;
}
