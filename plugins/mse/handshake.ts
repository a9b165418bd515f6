/**
 * Message stream encryption (MSE, also called protocol encryption): the handshake as a machine, bytes in and bytes out.
 *
 * ```
 * dialer    Ya, padding
 * acceptor  Yb, padding
 * dialer    HASH("req1", S), HASH("req2", SKEY) xor HASH("req3", S),
 *           RC4(VC, what it can, its padding, the initial payload's length), RC4(the initial payload)
 * acceptor  RC4(VC, what was chosen, its padding)
 * ```
 *
 * Y are Diffie-Hellman keys, S their secret, SKEY is the swarm's info-hash, VC eight zeros. The stream follows: under
 * RC4, which goes on, or in plaintext, but for the initial payload.
 *
 * @module
 */
import { bytesEqual, ProtocolError, type Random } from "weft";
import { DH_KEY_LENGTH, DH_PRIVATE_KEY_LENGTH, DhKeyPair } from "./diffie_hellman.ts";
import { Inbox, type Waiting } from "./inbox.ts";
import { startCiphers, swarmHash, syncHash, veil } from "./keys.ts";
import type { Rc4 } from "./rc4.ts";

/** How the stream goes on after the handshake. */
export type Cipher = "rc4" | "plaintext";

/** What both sides agreed on. */
export interface Agreement {
  readonly cipher: Cipher;
  readonly infoHash: Uint8Array;
  /** Encrypts what we send, if `cipher` is RC4. */
  readonly send: Rc4;
  /** Decrypts what comes: all of it, or the first `initial` bytes. */
  readonly receive: Rc4;
  /** Bytes of the stream that are under RC4 in any case: the dialer's initial payload. */
  readonly initial: number;
  /** The beginning of the stream that came with the handshake, not yet decrypted. */
  readonly rest: Uint8Array;
}

/** What either side brings. */
export interface HandshakeOptions {
  /** The ciphers to offer or to take, the preferred one first. */
  readonly ciphers: readonly Cipher[];
  readonly random: Random;
}

/** What the dialing side brings. */
export interface DialOptions extends HandshakeOptions {
  readonly infoHash: Uint8Array;
  /** What to send of the stream with the handshake, at most 65,535 bytes: a round trip less. */
  readonly initial?: Uint8Array;
}

/** What the accepting side brings. */
export interface AcceptOptions extends HandshakeOptions {
  /** The info-hash whose {@link swarmHash} this is, if the swarm is here. */
  secretOf(hash: Uint8Array): Uint8Array | undefined;
}

const BITS: Readonly<Record<Cipher, number>> = { plaintext: 1, rc4: 2 };
// The specification's bound of each of the four paddings (bytes).
const MAX_PADDING = 512;
const VERIFICATION = new Uint8Array(8);
const HASH_LENGTH = 20;

/** One side's handshake. Feed it what comes, and send what it has, until there is an agreement. */
export class MseHandshake {
  /** Set once both sides agreed, and all that {@link pollTransmit} gave was sent. */
  agreement: Agreement | undefined;
  readonly #inbox = new Inbox();
  readonly #steps: Waiting<Omit<Agreement, "rest">>;
  #toSend: Uint8Array | undefined;

  private constructor(
    side: (inbox: Inbox, send: (...parts: Uint8Array[]) => void) => Waiting<Omit<Agreement, "rest">>,
  ) {
    this.#steps = side(this.#inbox, (...parts) => this.#toSend = concat(this.#toSend ?? new Uint8Array(), ...parts));
    this.#advance();
  }

  /** The side that connected. */
  static dialing(options: DialOptions): MseHandshake {
    return new MseHandshake((inbox, send) => dial(options, inbox, send));
  }

  /** The side that was connected to. */
  static accepting(options: AcceptOptions): MseHandshake {
    return new MseHandshake((inbox, send) => accept(options, inbox, send));
  }

  /**
   * Takes what came; not to be called once there is an agreement.
   *
   * @throws {ProtocolError} when the peer does not keep to the protocol; the handshake is over then
   */
  receive(bytes: Uint8Array): void {
    this.#inbox.push(bytes);
    this.#advance();
  }

  /** What is to be sent now, if anything. */
  pollTransmit(): Uint8Array | undefined {
    const bytes = this.#toSend;
    this.#toSend = undefined;
    return bytes;
  }

  #advance(): void {
    const { done, value } = this.#steps.next();
    // After a fault, a generator is done without a value.
    if (done && value) this.agreement = { ...value, rest: this.#inbox.rest() };
  }
}

function* dial(
  { infoHash, ciphers, random, initial = new Uint8Array() }: DialOptions,
  inbox: Inbox,
  send: (...parts: Uint8Array[]) => void,
): Waiting<Omit<Agreement, "rest">> {
  const keys = new DhKeyPair(random.bytes(DH_PRIVATE_KEY_LENGTH));
  send(keys.publicKey, padding(random));
  const secret = keys.secret(yield* inbox.take(DH_KEY_LENGTH));

  const { fromDialer, toDialer } = startCiphers(secret, infoHash);
  const offered = ciphers.reduce((bits, cipher) => bits | BITS[cipher], 0);
  const pad = padding(random);
  const request = concat(VERIFICATION, u32(offered), u16(pad.length), pad, u16(initial.length), initial);
  send(syncHash(secret), veil(swarmHash(infoHash), secret), encrypted(fromDialer, request));

  yield* inbox.skipPast(encrypted(toDialer, VERIFICATION), MAX_PADDING, "the verification constant");
  const answer = new DataView(encrypted(toDialer, yield* inbox.take(6)).buffer);
  const chosen = answer.getUint32(0);
  const cipher = ciphers.find((cipher) => BITS[cipher] === chosen);
  if (!cipher) {
    throw new ProtocolError(
      `Cannot encrypt: the peer must choose ${ciphers.map((cipher) => BITS[cipher]).join(" or ")}, it chose ${chosen}`,
    );
  }
  yield* skipPadding(inbox, toDialer, answer.getUint16(4));
  return { cipher, infoHash, send: fromDialer, receive: toDialer, initial: 0 };
}

function* accept(
  { secretOf, ciphers, random }: AcceptOptions,
  inbox: Inbox,
  send: (...parts: Uint8Array[]) => void,
): Waiting<Omit<Agreement, "rest">> {
  const theirs = yield* inbox.take(DH_KEY_LENGTH);
  const keys = new DhKeyPair(random.bytes(DH_PRIVATE_KEY_LENGTH));
  const secret = keys.secret(theirs);
  send(keys.publicKey, padding(random));

  yield* inbox.skipPast(syncHash(secret), MAX_PADDING, 'HASH("req1", S)');
  const infoHash = secretOf(veil(yield* inbox.take(HASH_LENGTH), secret));
  if (!infoHash) throw new ProtocolError("Cannot encrypt: the peer names a swarm that is not here");

  const { fromDialer, toDialer } = startCiphers(secret, infoHash);
  const request = encrypted(fromDialer, yield* inbox.take(VERIFICATION.length + 6));
  if (!bytesEqual(request.subarray(0, VERIFICATION.length), VERIFICATION)) {
    throw new ProtocolError("Cannot encrypt: expected the verification constant");
  }
  const fields = new DataView(request.buffer, VERIFICATION.length);
  const offered = fields.getUint32(0);
  yield* skipPadding(inbox, fromDialer, fields.getUint16(4));
  const initial = new DataView(encrypted(fromDialer, yield* inbox.take(2)).buffer).getUint16(0);

  const cipher = ciphers.find((cipher) => (BITS[cipher] & offered) !== 0);
  if (!cipher) {
    throw new ProtocolError(`Cannot encrypt: expected an offer of ${ciphers.join(" or ")}, it is ${offered}`);
  }
  const pad = padding(random);
  send(encrypted(toDialer, concat(VERIFICATION, u32(BITS[cipher]), u16(pad.length), pad)));
  return { cipher, infoHash, send: toDialer, receive: fromDialer, initial };
}

/** Padding is encrypted too, so that the keystream must go on over it. */
function* skipPadding(inbox: Inbox, rc4: Rc4, length: number): Waiting<void> {
  if (length > MAX_PADDING) {
    throw new ProtocolError(`Cannot encrypt: padding must be at most ${MAX_PADDING} bytes, it is ${length}`);
  }
  encrypted(rc4, yield* inbox.take(length));
}

function padding(random: Random): Uint8Array {
  return random.bytes(random.below(MAX_PADDING + 1));
}

/** Encrypts or decrypts a copy. */
function encrypted(rc4: Rc4, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  rc4.crypt(copy);
  return copy;
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value);
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >> 24, value >> 16, value >> 8, value);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
