/**
 * The handshake of BEP 3 in both roles, and how an accepted stream comes to it.
 *
 * @module
 */
import { acceptPeer, type ByteStream, type Clock, type OpenedStream } from "../../api/mod.ts";
import {
  bytesEqual,
  decodeHandshake,
  encodeHandshake,
  type Handshake,
  HANDSHAKE_LENGTH,
  InfoHash,
  isHandshakePrefix,
  ProtocolError,
} from "../../wire/mod.ts";
import type { Kernel } from "../kernel.ts";

// security.md: who hasn't shaken hands by then is a scanner or a slow-loris (ms).
const HANDSHAKE_TIMEOUT = 10_000;
// The handshake up to and including the info-hash: what an accepting side needs before it answers.
const ACCEPT_PREFIX = 48;

/** A stream to a peer, and the handshake it sent. */
export interface ShakenPeer extends OpenedStream {
  readonly handshake: Handshake;
  readonly transport: string;
}

/** What we say in a handshake. */
export interface OwnHandshake {
  readonly infoHash: InfoHash;
  readonly peerId: Uint8Array;
  /** A DHT node runs here, and the swarm may be told of (BEP 5). */
  readonly dht: boolean;
}

/** How an incoming peer finds its swarm. */
export interface SwarmLookup {
  own(infoHash: InfoHash): OwnHandshake | undefined;
  /** See AcceptRequest. */
  readonly secretOf: (hash: Uint8Array) => Uint8Array | undefined;
}

/**
 * Shakes hands over a stream that we opened; it is closed when that fails.
 *
 * @throws {ProtocolError} when the peer doesn't answer in 10 s, or not as it should
 */
export async function shakeOut(clock: Clock, stream: ByteStream, own: OwnHandshake): Promise<Handshake> {
  return await withTimeout(clock, stream, async () => {
    await stream.write(ourHandshake(own));
    const bytes = new Uint8Array(HANDSHAKE_LENGTH);
    await readExactly(stream, bytes, 0, HANDSHAKE_LENGTH);
    const handshake = decodeHandshake(bytes);
    if (!bytesEqual(handshake.infoHash.bytes, own.infoHash.bytes)) {
      throw new ProtocolError(
        `Cannot shake hands: info-hash must be ${own.infoHash.hex}, the peer said ${handshake.infoHash.hex}`,
      );
    }
    return handshake;
  });
}

/** Opens an accepted stream: wraps of `acceptPeer`, then the handshake, answered if `lookup` knows the swarm. */
export async function acceptAndShake(
  kernel: Kernel,
  transport: string,
  raw: ByteStream,
  lookup: SwarmLookup,
  signal: AbortSignal,
): Promise<ShakenPeer> {
  return await withTimeout(kernel.host.clock, raw, async () => {
    const opened = await kernel.bus.around(
      acceptPeer,
      { transport, stream: raw, secretOf: lookup.secretOf, signal },
      ({ stream }) => Promise.resolve({ stream, encryption: "none" as const }),
    );
    const { stream } = opened;
    const bytes = new Uint8Array(HANDSHAKE_LENGTH);
    await readExactly(stream, bytes, 0, 20);
    if (!isHandshakePrefix(bytes.subarray(0, 20))) {
      throw new ProtocolError("Cannot shake hands: what came is no BitTorrent handshake");
    }
    await readExactly(stream, bytes, 20, ACCEPT_PREFIX);
    const infoHash = InfoHash.from(bytes.slice(28, 48));
    if (opened.wireId !== undefined && opened.wireId !== infoHash.hex) {
      throw new ProtocolError("Cannot shake hands: the encryption named another swarm than the handshake");
    }
    const own = lookup.own(infoHash);
    if (!own) throw new ProtocolError(`Cannot shake hands: no swarm ${infoHash.hex} here`);
    await stream.write(ourHandshake(own));
    await readExactly(stream, bytes, ACCEPT_PREFIX, HANDSHAKE_LENGTH);
    return { ...opened, transport, handshake: decodeHandshake(bytes) };
  });
}

function ourHandshake({ infoHash, peerId, dht }: OwnHandshake): Uint8Array {
  return encodeHandshake({ infoHash, peerId, reserved: { extended: true, fast: true, dht } });
}

async function readExactly(stream: ByteStream, into: Uint8Array, from: number, to: number): Promise<void> {
  while (from < to) {
    const got = await stream.read(into.subarray(from, to));
    if (got === 0) throw new ProtocolError(`Cannot shake hands: the peer closed after ${from} bytes`);
    from += got;
  }
}

/** Runs a handshake; the stream is closed when it fails or takes too long, whatever the stream does. */
async function withTimeout<T>(clock: Clock, stream: ByteStream, run: () => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = clock.after(HANDSHAKE_TIMEOUT, () => {
    reject(new ProtocolError(`Cannot shake hands: nothing complete within ${HANDSHAKE_TIMEOUT / 1000} s`));
  });
  run().then(resolve, reject);
  try {
    return await promise;
  } catch (error) {
    stream.close(error instanceof Error ? error : undefined);
    throw error;
  } finally {
    timer.cancel();
  }
}
