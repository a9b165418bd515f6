import assert from "node:assert/strict";
import { encodeHandshake, InfoHash, ProtocolError, utf8Decode, utf8Encode } from "weft";
import { SeededRandom } from "../../core/host/memory/random.ts";
import { DH_KEY_LENGTH, DhKeyPair } from "./diffie_hellman.ts";
import { type Cipher, MseHandshake } from "./handshake.ts";
import { startCiphers, swarmHash, syncHash, veil } from "./keys.ts";
import type { Rc4 } from "./rc4.ts";
import { BOTH, ends, infoHash, meet, otherHash, secretOf } from "./test_ends.ts";

const PAD_MOST = 512;

function crypt(rc4: Rc4, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  rc4.crypt(copy);
  return copy;
}

Deno.test("two ends agree on the swarm, and what one encrypts the other decrypts", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { dialed, accepted } = meet(ends(seed));
    for (const agreement of [dialed, accepted]) {
      assert.equal(agreement.cipher, "rc4");
      assert.deepEqual(agreement.infoHash, infoHash);
      assert.equal(agreement.rest.length, 0);
    }
    const hello = utf8Encode("hello");
    assert.deepEqual(crypt(accepted.receive, crypt(dialed.send, hello)), hello);
    assert.deepEqual(crypt(dialed.receive, crypt(accepted.send, hello)), hello);
  }
});

Deno.test("the accepting end chooses what it prefers of what is offered", () => {
  const outcomes: [offered: Cipher[], taken: Cipher[], chosen: Cipher][] = [
    [["rc4", "plaintext"], ["rc4", "plaintext"], "rc4"],
    [["rc4", "plaintext"], ["plaintext", "rc4"], "plaintext"],
    [["plaintext"], ["rc4", "plaintext"], "plaintext"],
    [["rc4", "plaintext"], ["rc4"], "rc4"],
    [["rc4", "plaintext"], ["plaintext"], "plaintext"],
  ];
  for (const [offered, taken, chosen] of outcomes) {
    const { dialed, accepted } = meet(ends(1, { offered, taken }));
    assert.deepEqual([dialed.cipher, accepted.cipher], [chosen, chosen]);
  }
});

Deno.test("an end that gets what it can't take throws a ProtocolError that says so", () => {
  assert.throws(
    () => meet(ends(1, { offered: ["rc4"], taken: ["plaintext"] })),
    /expected an offer of plaintext, it is 2/,
  );
  assert.throws(() => meet(ends(1, { swarms: [otherHash] })), /names a swarm that is not here/);
  assert.throws(() => meet(ends(1, { swarms: [] })), ProtocolError);
});

Deno.test("a handshake may come in pieces of any size", () => {
  for (const cut of [1, 7, 95, 96, 97]) {
    const { dialed, accepted } = meet(ends(cut, { initial: utf8Encode("early") }), cut);
    assert.equal(accepted.initial, 5);
    assert.equal(dialed.cipher, "rc4");
  }
});

Deno.test("the BitTorrent handshake may ride in the initial payload, also where plaintext follows", () => {
  const reserved = { extended: true, fast: true, dht: false };
  const initial = encodeHandshake({ infoHash: InfoHash.from(infoHash), peerId: new Uint8Array(20), reserved });
  for (const offered of BOTH) {
    const { accepted } = meet(ends(3, { offered: [offered], initial }));
    assert.equal(accepted.cipher, offered);
    assert.equal(accepted.initial, initial.length);
    assert.deepEqual(crypt(accepted.receive, accepted.rest), initial);
  }
});

Deno.test("what follows the handshake in the same bytes is kept, as it came", () => {
  const [dialer, acceptor] = ends(4);
  acceptor.receive(dialer.pollTransmit()!);
  dialer.receive(acceptor.pollTransmit()!);
  acceptor.receive(dialer.pollTransmit()!);
  const following = crypt(acceptor.agreement!.send, utf8Encode("and now this"));
  // The keystream of the handshake came before, so the answer must too.
  const answer = acceptor.pollTransmit()!;
  dialer.receive(Uint8Array.of(...answer, ...following));
  const { rest, receive } = dialer.agreement!;
  assert.equal(utf8Decode(crypt(receive, rest)), "and now this");
});

Deno.test("no byte of an encrypted handshake is told by its place, nor is its length", () => {
  const count = 1_000;
  const sent: [Uint8Array[], Uint8Array[]] = [[], []];
  for (let seed = 0; seed < count; seed++) {
    const { fromDialer, fromAcceptor } = meet(ends(seed));
    sent[0].push(fromDialer);
    sent[1].push(fromAcceptor);
  }
  for (const handshakes of sent) {
    const lengths = handshakes.map(({ length }) => length);
    assert.ok(new Set(lengths).size > count / 4, "lengths vary");
    for (const place of [(at: number) => at, (at: number, length: number) => length - 1 - at]) {
      for (let at = 0; at < Math.min(...lengths); at++) {
        const seen = new Uint16Array(256);
        for (const bytes of handshakes) seen[bytes[place(at, bytes.length)]]++;
        // 4 are expected; as many as 30 come by chance once in 10^15.
        const most = Math.max(...seen);
        assert.ok(most < 30, `${seen.indexOf(most)} stands at ${place(at, 0)} in ${most} of ${count}`);
      }
    }
  }
});

Deno.test("paddings are as short as 0 and as long as 512 bytes", () => {
  const least = meet(constant(0));
  assert.equal(least.fromDialer.length, DH_KEY_LENGTH + 20 + 20 + 8 + 4 + 2 + 2);
  assert.equal(least.fromAcceptor.length, DH_KEY_LENGTH + 8 + 4 + 2);
  const most = meet(constant(PAD_MOST));
  assert.equal(most.fromDialer.length, least.fromDialer.length + 2 * PAD_MOST);
  assert.equal(most.fromAcceptor.length, least.fromAcceptor.length + 2 * PAD_MOST);
});

/** Two ends whose paddings are all of one length. */
function constant(length: number): [MseHandshake, MseHandshake] {
  const bytes = new SeededRandom(length);
  const random = { bytes: (length: number) => bytes.bytes(length), below: () => length };
  return [
    MseHandshake.dialing({ infoHash, ciphers: BOTH, random }),
    MseHandshake.accepting({ secretOf: secretOf([infoHash]), ciphers: BOTH, random }),
  ];
}

Deno.test("padding longer than 512 bytes is refused at either end, before it came", () => {
  const tooLong = /padding must be at most 512 bytes, it is 513/;
  const [dialer] = ends(5);
  assert.throws(() => dialer.receive(answerTo(dialer, { padding: PAD_MOST + 1 })), tooLong);
  const [, acceptor] = ends(5);
  assert.throws(() => openTo(acceptor, { padding: PAD_MOST + 1 }), tooLong);
});

Deno.test("garbage is searched for as long as padding may be, and not a byte further", () => {
  const garbage = new SeededRandom("garbage");
  const [dialer, acceptor] = ends(6);
  for (
    const [end, most] of [[dialer, DH_KEY_LENGTH + PAD_MOST + 8], [acceptor, DH_KEY_LENGTH + PAD_MOST + 20]] as const
  ) {
    end.receive(garbage.bytes(most - 1));
    assert.throws(() => end.receive(garbage.bytes(1)), ProtocolError);
    end.receive(garbage.bytes(1_000));
    assert.equal(end.agreement, undefined, "it is over");
  }
});

Deno.test("a key that makes the secret known ends the handshake at once", () => {
  for (const key of [new Uint8Array(DH_KEY_LENGTH), new Uint8Array(DH_KEY_LENGTH).fill(0xff)]) {
    for (const end of ends(7)) assert.throws(() => end.receive(key), /public key must lie between/);
  }
});

Deno.test("a choice that was not offered, that is none, or of two ciphers, is refused", () => {
  for (const chosen of [0, 1, 3, 4]) {
    const [dialer] = ends(8, { offered: ["rc4"] });
    const told = new RegExp(`the peer must choose 2, it chose ${chosen}`);
    assert.throws(() => dialer.receive(answerTo(dialer, { chosen })), told);
  }
});

Deno.test("an offer of ciphers that nobody knows is refused, and passed over where a known one stands beside them", () => {
  const [, acceptor] = ends(9);
  assert.throws(() => openTo(acceptor, { offered: 0xfc }), /expected an offer of rc4 or plaintext, it is 252/);
  const [, other] = ends(9);
  openTo(other, { offered: 0xfd });
  assert.equal(other.agreement?.cipher, "plaintext");
});

Deno.test("what is encrypted under another secret is refused", () => {
  const [, acceptor] = ends(10);
  assert.throws(() => openTo(acceptor, { verification: 1 }), /expected the verification constant/);
});

const strange = new DhKeyPair(Uint8Array.of(1, 2, 3));

/** What an accepting end says that makes up its own answer. */
function answerTo(dialer: MseHandshake, { chosen = 2, padding = 0 }): Uint8Array {
  const secret = strange.secret(dialer.pollTransmit()!.subarray(0, DH_KEY_LENGTH));
  const answer = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, chosen, padding >> 8, padding);
  return Uint8Array.of(...strange.publicKey, ...crypt(startCiphers(secret, infoHash).toDialer, answer));
}

/** Has a dialing end that makes up its own offer talk to an accepting one. */
function openTo(acceptor: MseHandshake, { offered = 3, padding = 0, verification = 0 }): void {
  acceptor.receive(strange.publicKey);
  const secret = strange.secret(acceptor.pollTransmit()!.subarray(0, DH_KEY_LENGTH));
  const offer = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, verification, 0, 0, 0, offered, padding >> 8, padding, 0, 0);
  const encrypted = crypt(startCiphers(secret, infoHash).fromDialer, offer);
  acceptor.receive(Uint8Array.of(...syncHash(secret), ...veil(swarmHash(infoHash), secret), ...encrypted));
}
