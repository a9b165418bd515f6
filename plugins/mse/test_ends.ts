/** Two handshakes against each other, in plain time: for tests and scripts. @module */
import { sha1, toHex, utf8Encode } from "weft";
import { SeededRandom } from "../../core/host/memory/random.ts";
import { type Agreement, type Cipher, type DialOptions, MseHandshake } from "./handshake.ts";

/** What the two sides bring; both ciphers and the same swarm if not given. */
export interface EndsOptions extends Partial<Pick<DialOptions, "initial">> {
  readonly offered?: readonly Cipher[];
  readonly taken?: readonly Cipher[];
  /** What the acceptor has. */
  readonly swarms?: readonly Uint8Array[];
}

/** The swarm that the dialer names. */
export const infoHash = sha1(utf8Encode("a swarm"));
/** One that it doesn't. */
export const otherHash = sha1(utf8Encode("another swarm"));

export const BOTH: readonly Cipher[] = ["rc4", "plaintext"];

/** The dialing and the accepting end, before anything was sent. */
export function ends(
  seed: number | string,
  { offered = BOTH, taken = BOTH, swarms = [otherHash, infoHash], initial }: EndsOptions = {},
): [dialer: MseHandshake, acceptor: MseHandshake] {
  return [
    MseHandshake.dialing({ infoHash, ciphers: offered, random: new SeededRandom(`${seed} dialer`), initial }),
    MseHandshake.accepting({
      secretOf: secretOf(swarms),
      ciphers: taken,
      random: new SeededRandom(`${seed} acceptor`),
    }),
  ];
}

/** What the kernel does to find a swarm. */
export function secretOf(swarms: readonly Uint8Array[]): (hash: Uint8Array) => Uint8Array | undefined {
  const byHash = new Map(swarms.map((swarm) => [toHex(sha1(Uint8Array.of(...utf8Encode("req2"), ...swarm))), swarm]));
  return (hash) => byHash.get(toHex(hash));
}

/** What both sides said, and what came of it. */
export interface Meeting {
  readonly dialed: Agreement;
  readonly accepted: Agreement;
  /** All bytes of the handshake, as each side sent them. */
  readonly fromDialer: Uint8Array;
  readonly fromAcceptor: Uint8Array;
}

/**
 * Lets both ends talk until nothing more comes, `cut` bytes at a time.
 *
 * @throws {ProtocolError} what an end throws; {Error} when they come to no agreement
 */
export function meet([dialer, acceptor]: [MseHandshake, MseHandshake], cut = Infinity): Meeting {
  const said: [number[], number[]] = [[], []];
  for (let idle = 0; idle < 2;) {
    idle++;
    for (const [k, from, to] of [[0, dialer, acceptor], [1, acceptor, dialer]] as const) {
      const bytes = from.pollTransmit();
      if (!bytes) continue;
      idle = 0;
      said[k].push(...bytes);
      for (let at = 0; at < bytes.length; at += cut) to.receive(bytes.slice(at, at + cut));
    }
  }
  if (!dialer.agreement || !acceptor.agreement) throw new Error("the two ends wait for each other");
  return {
    dialed: dialer.agreement,
    accepted: acceptor.agreement,
    fromDialer: Uint8Array.from(said[0]),
    fromAcceptor: Uint8Array.from(said[1]),
  };
}
