import assert from "node:assert/strict";
import { createDiffieHellman } from "node:crypto";
import { fromHex, ProtocolError, toHex } from "weft";
import { DH_KEY_LENGTH, DhKeyPair } from "./diffie_hellman.ts";

const PRIME = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd" +
  "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563";

const ours = new DhKeyPair(new Uint8Array(20).fill(0xa7));

Deno.test("DhKeyPair agrees on a secret with another one", () => {
  const theirs = new DhKeyPair(new Uint8Array(20).fill(0x35));
  const secret = ours.secret(theirs.publicKey);
  assert.equal(secret.length, DH_KEY_LENGTH);
  assert.deepEqual(theirs.secret(ours.publicKey), secret);
});

Deno.test("DhKeyPair agrees with the platform's Diffie-Hellman", () => {
  const theirs = createDiffieHellman(PRIME, "hex", 2);
  theirs.generateKeys();
  const padded = (hex: string): string => hex.padStart(2 * DH_KEY_LENGTH, "0");
  const key = fromHex(padded(theirs.getPublicKey("hex")));
  const secret = padded(theirs.computeSecret(toHex(ours.publicKey), "hex", "hex"));
  assert.equal(toHex(ours.secret(key)), secret);
});

Deno.test("DhKeyPair pads a small public key with zeros: 2 to the power of 3", () => {
  const small = new DhKeyPair(Uint8Array.of(3));
  assert.equal(toHex(small.publicKey), "8".padStart(2 * DH_KEY_LENGTH, "0"));
  assert.equal(ours.secret(small.publicKey).length, DH_KEY_LENGTH);
});

Deno.test("DhKeyPair refuses keys that make the secret known: 0, 1, p - 1, p and above", () => {
  const bad = ["00".repeat(96), "01".padStart(192, "0"), PRIME.slice(0, -1) + "2", PRIME, PRIME.slice(0, -1) + "4"];
  for (const key of [...bad, "ff".repeat(96)]) {
    assert.throws(() => ours.secret(fromHex(key)), ProtocolError, key);
  }
  ours.secret(fromHex("02".padStart(192, "0")));
  ours.secret(fromHex(PRIME.slice(0, -1) + "1"));
});
