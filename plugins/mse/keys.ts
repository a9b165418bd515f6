// What both sides of message stream encryption derive from the Diffie-Hellman secret S and the swarm's info-hash (SKEY).
import { createSha1, utf8Encode } from "weft";
import { Rc4 } from "./rc4.ts";

// The specification throws away the beginning of the keystream, which tells of the key (bytes).
const DISCARDED = 1024;

/** SHA-1 of a tag and parts. */
function hash(tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const hasher = createSha1();
  hasher.update(utf8Encode(tag));
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

/** What the dialing side's padding ends with: 20 bytes that only who knows S can tell. */
export function syncHash(secret: Uint8Array): Uint8Array {
  return hash("req1", secret);
}

/** The name of a swarm towards who knows it: 20 bytes, the same for every connection. */
export function swarmHash(infoHash: Uint8Array): Uint8Array {
  return hash("req2", infoHash);
}

/** Hides a {@link swarmHash} among the connections that carry it, and shows it again. */
export function veil(swarm: Uint8Array, secret: Uint8Array): Uint8Array {
  const mask = hash("req3", secret);
  return swarm.map((byte, i) => byte ^ mask[i]);
}

/** The ciphers of both directions. */
export interface Ciphers {
  readonly fromDialer: Rc4;
  readonly toDialer: Rc4;
}

/** Begins both directions. */
export function startCiphers(secret: Uint8Array, infoHash: Uint8Array): Ciphers {
  return {
    fromDialer: new Rc4(hash("keyA", secret, infoHash), DISCARDED),
    toDialer: new Rc4(hash("keyB", secret, infoHash), DISCARDED),
  };
}
