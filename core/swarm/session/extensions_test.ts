import assert from "node:assert/strict";
import type { ConnectedPeer, ExtensionPeer, PeerExtension } from "../../api/mod.ts";
import { InfoHash, peerAddress, ProtocolError, torrentId } from "../../wire/mod.ts";
import { PeerMachine, type PeerMachineEvents } from "./machine.ts";
import { type ExtensionsSwarm, type ProvidedExtension, SessionExtensions } from "./extensions.ts";

const other: ConnectedPeer = {
  address: peerAddress("192.0.2.9", 6881),
  uploadOnly: false,
  encrypted: false,
  transport: "tcp",
  reachable: true,
  offers: () => false,
};

/** A session without a stream, its swarm, and the machine at the other end. */
class Bench {
  readonly peers: ExtensionPeer[] = [];
  /** What happened to our extensions, and what the other end heard. */
  readonly notes: string[] = [];
  readonly swarm: { -readonly [K in keyof ExtensionsSwarm]: ExtensionsSwarm[K] } = {
    id: torrentId({ v1: InfoHash.parse("ab".repeat(20)) }),
    private: false,
    uploadOnly: false,
    listenPort: 6881,
    extensions: [],
    metadata: undefined,
    dialNow: () => {},
    connectedPeers: () => [other],
    found: (plugin, addresses, namedBy) =>
      this.#note(`${plugin} found ${addresses.map(({ key }) => key)} by ${namedBy}`),
    extensionFailed: (name, error) => this.#note(`${name} failed: ${error.message}`),
  };
  readonly ours = this.#machine({
    extendedHandshake: () => this.extensions.peerHandshake(),
    extensionMessage: (name, payload) => this.extensions.message(name, payload),
  });
  readonly theirs = this.#machine({
    extendedHandshake: ({ m }) => this.#note(`they hear ${[...m].map(([name, id]) => `${name}=${id}`)}`),
    extensionMessage: (name, payload) => this.#note(`they hear ${name} ${payload}`),
  });
  readonly extensions = new SessionExtensions(this.swarm, {
    machine: this.ours,
    address: peerAddress("192.0.2.1", 50_000),
    dialAddress: peerAddress("192.0.2.1", 7000),
    incoming: true,
    transport: "tcp",
    flush: () => {},
    close: (reason) => this.#note(`closed: ${reason.message}`),
  });

  /** Offers other extensions from now on. */
  offer(...extensions: readonly ProvidedExtension[]): string[] {
    this.swarm.extensions = extensions;
    this.extensions.greet();
    return this.flush();
  }

  /** Their extension handshake. */
  greeting(m: Readonly<Record<string, number>>): string[] {
    this.theirs.sendExtendedHandshake({ m: new Map(Object.entries(m)) });
    return this.flush();
  }

  /** Lets both ends hear what the other says. Returns the notes since the last time. */
  flush(): string[] {
    for (const [from, to] of [[this.ours, this.theirs], [this.theirs, this.ours]]) {
      const writer = from.pollTransmit();
      const bytes = writer.take().slice();
      from.written(writer, true);
      to.receive(0, bytes);
    }
    return this.notes.splice(0);
  }

  /** An extension that notes what happens to it. */
  extension(name: string, part: Partial<PeerExtension> = {}): ProvidedExtension {
    const join = (peer: ExtensionPeer): PeerExtension => {
      this.peers.push(peer);
      return {
        peerHandshake: (offered) => this.#note(`${name} offered: ${offered}`),
        message: (payload) => this.#note(`${name} hears ${payload}`),
        closed: () => this.#note(`${name} closed`),
        ...part,
      };
    };
    return { name, plugin: `the ${name}`, provided: { join } };
  }

  #note(text: string): void {
    this.notes.push(text);
  }

  #machine(events: Partial<PeerMachineEvents>): PeerMachine {
    return new PeerMachine({ shape: undefined, fast: true, extended: true, events: events as PeerMachineEvents });
  }
}

Deno.test("what plugins provide is offered, and a further handshake says what came and went", () => {
  const bench = new Bench();
  const [x, y] = [bench.extension("x"), bench.extension("y")];
  assert.deepEqual(bench.offer(x), ["they hear x=1"]);
  assert.deepEqual(bench.greeting({ x: 7 }), ["x offered: true"]);
  assert.deepEqual(bench.offer(x, y), ["they hear x=1,y=2"]);
  assert.deepEqual(bench.offer(y), ["x closed", "they hear x=0,y=2"]);
  assert.deepEqual(bench.offer(y), []);
  assert.deepEqual(bench.offer(x, y), ["x offered: true", "they hear x=1,y=2"]);
});

Deno.test("our handshake says how much metadata there is where an extension brings it, whatever its name", () => {
  const bench = new Bench();
  bench.swarm.metadata = new Uint8Array(321);
  const plain = bench.extension("ut_metadata");
  bench.offer(plain);
  assert.equal(bench.theirs.peerHandshake?.metadataSize, undefined);
  bench.offer({ ...plain, name: "facts", provided: { ...plain.provided, bringsMetadata: true } });
  assert.equal(bench.theirs.peerHandshake?.metadataSize, 321);
});

Deno.test("what another generation provides begins anew on a live session, under the id that the peer knows", () => {
  const bench = new Bench();
  bench.offer(bench.extension("x"));
  bench.greeting({ x: 7 });
  assert.deepEqual(bench.offer(bench.extension("x")), ["x closed", "x offered: true"]);
  bench.theirs.sendExtension("x", Uint8Array.of(5));
  assert.deepEqual(bench.flush(), ["x hears 5"]);
  bench.peers[1].send(Uint8Array.of(6));
  assert.deepEqual(bench.flush(), ["they hear x 6"]);
});

Deno.test("an extension knows who is connected and where its peer listens, and names peers", () => {
  const bench = new Bench();
  bench.offer(bench.extension("x"));
  const [peer] = bench.peers;
  assert.deepEqual(peer.connected(), [other]);
  assert.equal(peer.listening()?.key, "192.0.2.1:7000");
  peer.found([other.address]);
  assert.deepEqual(bench.flush(), ["the x found 192.0.2.9:6881 by 192.0.2.1"]);
});

Deno.test("an extension learns nobody of a private swarm, also of one that turns out to be private", () => {
  const bench = new Bench();
  bench.offer(bench.extension("x"));
  bench.swarm.private = true;
  assert.deepEqual(bench.peers[0].connected(), []);
});

Deno.test("an extension that throws a ProtocolError closes the peer; any other error ends the extension alone", () => {
  const bench = new Bench();
  const failing = (error: Error): Partial<PeerExtension> => ({
    message: () => {
      throw error;
    },
  });
  bench.offer(
    bench.extension("x", failing(new ProtocolError("bad peer"))),
    bench.extension("y", failing(new Error("bad us"))),
  );
  bench.greeting({ x: 7, y: 8 });
  for (const name of ["x", "y", "y"]) bench.theirs.sendExtension(name, Uint8Array.of(1));
  assert.deepEqual(bench.flush(), ["closed: bad peer", "y failed: bad us"]);
  bench.extensions.close();
  assert.deepEqual(bench.flush(), ["x closed"]);
});
