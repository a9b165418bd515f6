/**
 * Bytes or text from outside broke a protocol: what was expected and what came is in the message.
 * It is the sender's fault, never a bug of ours: the caller drops the peer, reply or file.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
