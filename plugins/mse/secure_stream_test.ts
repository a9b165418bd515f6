import assert from "node:assert/strict";
import { type ByteStream, NetError, parsePeerAddress, utf8Decode, utf8Encode } from "weft";
import { secureStream } from "./secure_stream.ts";
import { type Agreement, type Cipher } from "./handshake.ts";
import { ends, meet } from "./test_ends.ts";
import { WriteBuffers } from "./write_buffers.ts";

/** A stream that answers each read with one of `incoming`, and keeps what is written. */
class TestStream implements ByteStream {
  readonly local = parsePeerAddress("192.0.2.1:1");
  readonly remote = parsePeerAddress("192.0.2.2:2");
  readonly written: Uint8Array[] = [];
  readonly closed: (Error | undefined)[] = [];
  halfClosed = 0;
  failure: Error | undefined;

  constructor(readonly incoming: Uint8Array[] = []) {}

  read(into: Uint8Array): Promise<number> {
    const next = this.incoming.shift() ?? new Uint8Array();
    const part = next.subarray(0, into.length);
    into.set(part);
    if (part.length < next.length) this.incoming.unshift(next.subarray(part.length));
    return Promise.resolve(part.length);
  }
  unread(bytes: Uint8Array): void {
    this.incoming.unshift(bytes.slice());
  }
  write(bytes: Uint8Array): Promise<void> {
    this.written.push(bytes.slice());
    return this.failure ? Promise.reject(this.failure) : Promise.resolve();
  }
  closeWrite(): Promise<void> {
    this.halfClosed++;
    return Promise.resolve();
  }
  close(reason?: Error): void {
    this.closed.push(reason);
  }
}

/** An accepting end's agreement, and the bytes that a dialer would send for each of some texts. */
function agreed(cipher: Cipher, texts: readonly string[], initial = 0): [Agreement, Uint8Array[]] {
  const early = utf8Encode(texts.join("")).slice(0, initial);
  const { dialed, accepted } = meet(ends(cipher, { offered: [cipher], initial: early }));
  let at = 0;
  const wire = texts.map((text) => {
    const bytes = utf8Encode(text);
    for (let i = 0; i < bytes.length; i++, at++) {
      if (at >= initial && cipher === "rc4") dialed.send.crypt(bytes.subarray(i, i + 1));
    }
    return bytes;
  });
  // The initial payload's encrypted form is what the handshake left over.
  let done = 0;
  for (const bytes of wire) {
    const part = accepted.rest.subarray(done, done + bytes.length);
    bytes.set(part);
    done += part.length;
  }
  return [{ ...accepted, rest: new Uint8Array() }, wire];
}

async function readText(stream: ByteStream, size: number): Promise<string> {
  const into = new Uint8Array(size);
  return utf8Decode(into.subarray(0, await stream.read(into)));
}

Deno.test("an RC4 stream decrypts what it reads, in place, and nothing behind it", async () => {
  const [agreement, wire] = agreed("rc4", ["hello ", "world"]);
  const stream = secureStream(new TestStream(wire), agreement, new WriteBuffers());
  const into = new Uint8Array(20).fill(9);
  assert.equal(await stream.read(into), 6);
  assert.equal(utf8Decode(into.subarray(0, 6)), "hello ");
  assert.ok(into.subarray(6).every((byte) => byte === 9));
  assert.equal(await readText(stream, 3), "wor");
  assert.equal(await readText(stream, 20), "ld");
  assert.equal(await stream.read(into), 0);
});

Deno.test("what came with the handshake is read first", async () => {
  const [agreement, [rest, next]] = agreed("rc4", ["hello ", "world"]);
  const stream = secureStream(new TestStream([next]), { ...agreement, rest }, new WriteBuffers());
  assert.equal(await readText(stream, 20), "hello ");
  assert.equal(await readText(stream, 20), "world");
});

Deno.test("what was unread comes again as it was, before what is still encrypted", async () => {
  const [agreement, wire] = agreed("rc4", ["hello ", "world"]);
  const stream = secureStream(new TestStream(wire), agreement, new WriteBuffers());
  assert.equal(await readText(stream, 20), "hello ");
  stream.unread(utf8Encode("llo "));
  stream.unread(utf8Encode("he"));
  assert.equal(await readText(stream, 4), "hell");
  assert.equal(await readText(stream, 20), "o ");
  assert.equal(await readText(stream, 20), "world");
});

Deno.test("a plaintext stream is the stream itself", () => {
  const [agreement] = agreed("plaintext", []);
  const raw = new TestStream();
  assert.equal(secureStream(raw, agreement, new WriteBuffers()), raw);
});

Deno.test("in plaintext, the initial payload alone is encrypted, wherever reads are cut", async () => {
  for (const size of [1, 2, 5, 100]) {
    const [agreement, wire] = agreed("plaintext", ["early", " and late"], 5);
    const raw = new TestStream([Uint8Array.of(...wire[0], ...wire[1])]);
    const stream = secureStream(raw, agreement, new WriteBuffers());
    let text = "";
    for (let part; (part = await readText(stream, size));) text += part;
    assert.equal(text, "early and late");
    await stream.write(utf8Encode("plain"));
    assert.equal(utf8Decode(raw.written[0]), "plain");
  }
});

Deno.test("writes leave their bytes as they are, and take turns with few buffers", async () => {
  const { dialed, accepted } = meet(ends(1));
  const raw = new TestStream();
  const buffers = new WriteBuffers();
  let made = 0;
  const counting = {
    take: (n: number) => (made++, buffers.take(n)),
    give: (b: Uint8Array) => (made--, buffers.give(b)),
  };
  const stream = secureStream(raw, dialed, counting as unknown as WriteBuffers);
  const hello = utf8Encode("hello");
  for (let i = 0; i < 3; i++) await stream.write(hello);
  assert.equal(utf8Decode(hello), "hello");
  assert.equal(made, 0, "all were given back");
  const sent = Uint8Array.from(raw.written.flatMap((bytes) => [...bytes]));
  assert.notEqual(utf8Decode(sent.subarray(0, 5)), "hello");
  accepted.receive.crypt(sent);
  assert.equal(utf8Decode(sent), "hellohellohello");
});

Deno.test("a write that fails rejects with the stream's error, and its buffer is not used again", async () => {
  const raw = new TestStream();
  raw.failure = new NetError("reset", "Connection reset by peer");
  const buffers = new WriteBuffers();
  const first = buffers.take(5);
  buffers.give(first);
  const stream = secureStream(raw, meet(ends(1)).dialed, buffers);
  await assert.rejects(stream.write(utf8Encode("hello")), raw.failure);
  assert.notEqual(buffers.take(5), first);
});

Deno.test("it ends and closes as the stream within does, and knows both its ends", async () => {
  const raw = new TestStream();
  const stream = secureStream(raw, meet(ends(1)).dialed, new WriteBuffers());
  assert.deepEqual([stream.local, stream.remote], [raw.local, raw.remote]);
  await stream.closeWrite();
  assert.equal(raw.halfClosed, 1);
  const reason = new Error("enough");
  stream.unread(utf8Encode("held"));
  stream.close(reason);
  assert.deepEqual(raw.closed, [reason]);
  assert.equal(await readText(stream, 10), "", "what was held is gone with the stream");
});
