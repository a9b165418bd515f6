/**
 * From an address, or an accepted stream, to a peer that has shaken hands: dialing through the transports and their
 * wraps, and the handshake of BEP 3 in both roles.
 *
 * @module
 */
import { errorText } from "../api/errors.ts";
import { acceptPeer, type ByteStream, type Clock, dialPeer, type OpenedStream, transports } from "../api/mod.ts";
import {
  bytesEqual,
  decodeHandshake,
  encodeHandshake,
  type Handshake,
  HANDSHAKE_LENGTH,
  InfoHash,
  isHandshakePrefix,
  type PeerAddress,
  ProtocolError,
  type TorrentId,
} from "../wire/mod.ts";
import type { Kernel } from "./kernel.ts";

// security.md: who hasn't shaken hands by then is a scanner or a slow-loris (ms).
const HANDSHAKE_TIMEOUT = 10_000;
// Longer than two SYN retransmissions.
const DIAL_TIMEOUT = 10_000;
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

/** Dials over the transports there are, `preferred` first, until one works, and shakes hands. All their errors are told. */
export async function dialAndShake(
  kernel: Kernel,
  id: TorrentId,
  own: OwnHandshake,
  to: {
    readonly address: PeerAddress;
    /** What worked before: tried first. */
    readonly transport?: string;
    /** No other transport is tried. */
    readonly only?: string;
  },
  signal: AbortSignal,
): Promise<ShakenPeer> {
  const names = kernel.bus.keys(transports).filter((name) => to.only === undefined || name === to.only);
  const order = to.transport && names.includes(to.transport)
    ? [to.transport, ...names.filter((name) => name !== to.transport)]
    : names;
  if (order.length === 0) throw new Error('No plugin provides a transport; add "- use: tcp" to plugins');
  // The kernel admitted this address: the guard lets it pass while it is dialed.
  using _grant = kernel.egress.grant(to.address);
  const errors: string[] = [];
  for (const transport of order) {
    try {
      const opened = await dialOver(kernel, id, transport, to.address, signal);
      return { ...opened, transport, handshake: await shakeOut(kernel.host.clock, opened, own) };
    } catch (error) {
      if (signal.aborted || error instanceof ProtocolError) throw error;
      errors.push(`${transport}: ${errorText(error)}`);
    }
  }
  throw new Error(errors.join("; "));
}

async function dialOver(
  kernel: Kernel,
  id: TorrentId,
  transport: string,
  address: PeerAddress,
  outer: AbortSignal,
): Promise<OpenedStream> {
  const abort = new AbortController();
  const stop = (): void => abort.abort(outer.reason);
  outer.addEventListener("abort", stop, { once: true });
  const timer = kernel.host.clock.after(
    DIAL_TIMEOUT,
    () => abort.abort(new Error(`no answer within ${DIAL_TIMEOUT / 1000} s`)),
  );
  let stream: ByteStream | undefined;
  try {
    const request = { id, address, transport, signal: abort.signal };
    return await kernel.bus.around(dialPeer, request, async (request) => {
      const dialed = kernel.bus.get(transports, transport);
      if (!dialed) throw new Error(`no plugin provides the transport "${transport}" any more`);
      stream = await orAborted(dialed.dial(request.address, abort.signal), abort.signal);
      return { stream, encryption: "none" };
    });
  } catch (error) {
    stream?.close(error instanceof Error ? error : undefined);
    throw abort.signal.aborted ? abort.signal.reason : error;
  } finally {
    timer.cancel();
    outer.removeEventListener("abort", stop);
  }
}

/** What a transport dialed, or the signal's reason when that comes first; what is dialed after it is closed. */
async function orAborted(dial: Promise<ByteStream>, signal: AbortSignal): Promise<ByteStream> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  dial.then((stream) => signal.aborted ? stream.close() : resolve(stream)).catch(reject);
  return await promise;
}

async function shakeOut(clock: Clock, { stream }: OpenedStream, own: OwnHandshake): Promise<Handshake> {
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
