import { createHash, type Hash } from "node:crypto";

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
