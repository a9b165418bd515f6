/** Drives a handshake over a stream, at either end. @module */
import {
  type ByteStream,
  errorText,
  isHandshakePrefix,
  NetError,
  type OpenedStream,
  PROTOCOL,
  ProtocolError,
  toHex,
} from "weft";
import { type AcceptOptions, type DialOptions, MseHandshake } from "./handshake.ts";
import { secureStream } from "./secure_stream.ts";
import type { WriteBuffers } from "./write_buffers.ts";

// As much as the longest handshake but for its last bytes; what follows it is given back (bytes).
const READ_SIZE = 1024;
// What a plain peer sends first: the protocol's name behind its length (bytes).
const PLAIN_LENGTH = 1 + PROTOCOL.length;

/**
 * Encrypts a stream that we opened.
 *
 * @throws {ProtocolError} when the peer does not encrypt, or not in our way
 * @throws {NetError} when the stream breaks or `signal` aborts
 */
export async function openDialed(
  stream: ByteStream,
  options: DialOptions,
  buffers: WriteBuffers,
  signal: AbortSignal,
): Promise<OpenedStream> {
  return await closedOnAbort(stream, signal, async () => {
    return await shake(stream, MseHandshake.dialing(options), buffers, new Uint8Array(READ_SIZE));
  });
}

/**
 * Tells a plain peer from one that encrypts, by its first 20 bytes. A plain one's stream is as it came.
 *
 * @throws {ProtocolError} when it is neither, or ends before that is known
 * @throws {NetError} when the stream breaks or `signal` aborts
 */
export async function openAccepted(
  stream: ByteStream,
  options: AcceptOptions,
  buffers: WriteBuffers,
  signal: AbortSignal,
): Promise<OpenedStream> {
  return await closedOnAbort(stream, signal, async () => {
    const into = new Uint8Array(READ_SIZE);
    let length = 0;
    do {
      length += await readSome(stream, into.subarray(length));
      if (!isHandshakePrefix(into.subarray(0, length))) {
        const handshake = MseHandshake.accepting(options);
        handshake.receive(into.subarray(0, length));
        return await shake(stream, handshake, buffers, into);
      }
    } while (length < PLAIN_LENGTH);
    stream.unread(into.subarray(0, length));
    return { stream, encryption: "none" };
  });
}

async function shake(
  stream: ByteStream,
  handshake: MseHandshake,
  buffers: WriteBuffers,
  into: Uint8Array,
): Promise<OpenedStream> {
  while (true) {
    const bytes = handshake.pollTransmit();
    if (bytes) await stream.write(bytes);
    const { agreement } = handshake;
    if (agreement) {
      return {
        stream: secureStream(stream, agreement, buffers),
        encryption: agreement.cipher,
        wireId: toHex(agreement.infoHash),
      };
    }
    handshake.receive(into.subarray(0, await readSome(stream, into)));
  }
}

async function readSome(stream: ByteStream, into: Uint8Array): Promise<number> {
  const length = await stream.read(into);
  if (length === 0) throw new ProtocolError("Cannot encrypt: the peer closed in the middle of the handshake");
  return length;
}

/** Nobody else closes a stream that is under way to the kernel. */
async function closedOnAbort<T>(stream: ByteStream, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  const close = (): void => stream.close(new NetError("closed", `Cannot encrypt: ${errorText(signal.reason)}`));
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  try {
    return await run();
  } catch (error) {
    stream.close(error instanceof Error ? error : undefined);
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}
