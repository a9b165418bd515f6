/** A peer that does what a test says, however wrong: raw streams and the codecs of core/wire, nothing of the swarm. @module */
import type { ByteStream } from "../../core/api/mod.ts";
import type { MemoryHost } from "../../core/host/memory/mod.ts";
import {
  encodeHandshake,
  HANDSHAKE_LENGTH,
  InfoHash,
  MessageDecoder,
  type MessageSink,
  MessageWriter,
  parsePeerAddress,
} from "../../core/wire/mod.ts";

/** What a scripted peer does with a request: bytes to send, or undefined for silence. */
export type Answer = (piece: number, begin: number, length: number) => Uint8Array | undefined;

/** One message as it came. */
export interface Heard {
  readonly name: keyof MessageSink;
  readonly values: readonly (number | Uint8Array)[];
}

/** One connection of a scripted peer. */
export class ScriptedPeer {
  readonly heard: Heard[] = [];
  /** Requests that wait for an answer. */
  readonly requests: [piece: number, begin: number, length: number][] = [];
  /** Payload bytes that came. */
  payload = 0;
  /** Set once the other side closed. */
  closed = false;
  answer: Answer | undefined;
  readonly #out: MessageWriter = new MessageWriter();
  #writing: Promise<void> = Promise.resolve();

  private constructor(readonly stream: ByteStream) {}

  /** Connects to `to` (`ip:port`) without a word. */
  static async connect(host: MemoryHost, to: string): Promise<ScriptedPeer> {
    return new ScriptedPeer(await host.net.connect(parsePeerAddress(to)));
  }

  /** Connects and shakes hands as a peer of the torrent, then listens to what comes. */
  static async join(
    host: MemoryHost,
    to: string,
    id: string,
    options: { readonly peerId?: string; readonly fast?: boolean; readonly deaf?: boolean } = {},
  ): Promise<ScriptedPeer> {
    const peer = await ScriptedPeer.connect(host, to);
    await peer.shake(id, options);
    return peer;
  }

  /** Waits for one connection to `port` and shakes hands on it. */
  static async accept(
    host: MemoryHost,
    port: number,
    id: string,
    options: { readonly peerId?: string } = {},
  ): Promise<ScriptedPeer> {
    const listener = await host.net.listen({ ip: "0.0.0.0", port });
    const peer = new ScriptedPeer(await listener.accept());
    listener.close();
    await peer.shake(id, options);
    return peer;
  }

  async shake(
    id: string,
    options: { readonly peerId?: string; readonly fast?: boolean; readonly deaf?: boolean } = {},
  ): Promise<void> {
    await this.stream.write(handshakeBytes(id, options));
    const handshake = new Uint8Array(HANDSHAKE_LENGTH);
    for (let at = 0; at < handshake.length;) {
      const got = await this.stream.read(handshake.subarray(at)).catch(() => 0);
      if (got === 0) {
        this.closed = true;
        return;
      }
      at += got;
    }
    if (!options.deaf) void this.listen();
  }

  /** Reads until the stream ends. */
  async listen(): Promise<void> {
    const decoder = new MessageDecoder(this.#sink(), { maxFrame: 1 << 20, maxBitfield: 1 << 20, maxExtended: 1 << 20 });
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const got = await this.stream.read(buffer);
        if (got === 0) break;
        decoder.push(buffer.subarray(0, got));
      }
    } catch {
      // Reset: as closed as closed can be.
    }
    this.closed = true;
  }

  /** Sends messages. */
  say(write: (writer: MessageWriter) => void): void {
    write(this.#out);
    const bytes = this.#out.take().slice();
    this.#out.reset();
    this.raw(bytes);
  }

  /** Sends bytes as they are, behind what waits. */
  raw(bytes: Uint8Array): void {
    this.#writing = this.#writing.then(() => this.stream.write(bytes)).catch(() => {});
  }

  /** Sends a block. */
  block(piece: number, begin: number, bytes: Uint8Array): void {
    this.say((writer) => {
      writer.blockHeader(piece, begin, bytes.length);
      writer.reserve(bytes.length).set(bytes);
    });
  }

  /** How often a message came. */
  count(name: keyof MessageSink): number {
    return this.heard.filter((each) => each.name === name).length;
  }

  close(): void {
    this.stream.close();
  }

  #sink(): MessageSink {
    const note = (name: keyof MessageSink) => (...values: (number | Uint8Array)[]): void =>
      void this.heard.push({ name, values: values.map((value) => typeof value === "number" ? value : value.slice()) });
    return {
      keepAlive: note("keepAlive"),
      choke: note("choke"),
      unchoke: note("unchoke"),
      interested: note("interested"),
      notInterested: note("notInterested"),
      have: note("have"),
      bitfield: note("bitfield"),
      request: (piece, begin, length) => {
        note("request")(piece, begin, length);
        const bytes = this.answer?.(piece, begin, length);
        if (bytes) this.block(piece, begin, bytes);
        else this.requests.push([piece, begin, length]);
      },
      block: note("block"),
      payload: (view) => void (this.payload += view.length),
      blockEnd: note("blockEnd"),
      cancel: note("cancel"),
      port: note("port"),
      suggest: note("suggest"),
      haveAll: note("haveAll"),
      haveNone: note("haveNone"),
      reject: note("reject"),
      allowedFast: note("allowedFast"),
      extended: note("extended"),
    };
  }
}

/** A handshake for the torrent, with a peer id that begins with `peerId`. */
export function handshakeBytes(
  id: string,
  options: { readonly peerId?: string; readonly fast?: boolean } = {},
): Uint8Array {
  const { peerId = "-XX0001-scripted", fast = true } = options;
  return encodeHandshake({
    infoHash: InfoHash.parse(id.slice(0, 40)),
    peerId: new TextEncoder().encode(peerId.padEnd(20, "0")).slice(0, 20),
    reserved: { extended: true, fast, dht: false },
  });
}
