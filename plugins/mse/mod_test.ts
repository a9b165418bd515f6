import assert from "node:assert/strict";
import {
  acceptPeer,
  type ByteStream,
  dialPeer,
  encodeHandshake,
  NetError,
  type OpenedStream,
  peerAddress,
  ProtocolError,
  streamSecurity,
  utf8Decode,
  utf8Encode,
} from "weft";
import {
  createSimulation,
  type MemoryHost,
  type PluginBench,
  sampleId,
  type Simulation,
  startPlugin,
} from "weft/testing";
import mse from "./mod.ts";
import { secretOf } from "./test_ends.ts";

const PORT = 6881;
const find = secretOf(sampleId.wireIds.map(({ bytes }) => bytes));
const plainHandshake = encodeHandshake({
  infoHash: sampleId.wireIds[0],
  peerId: new Uint8Array(20).fill(65),
  reserved: { extended: true, fast: true, dht: false },
});

/** The plugin on one host, which dials another, where `answer` gets each connection. */
interface Dialing extends AsyncDisposable {
  readonly simulation: Simulation;
  readonly bench: PluginBench;
  readonly them: MemoryHost;
  /** Streams that were dialed, in order. */
  readonly dialed: ByteStream[];
  readonly abort: AbortController;
  dial(): Promise<OpenedStream>;
}

async function dialing(config: unknown, answer: (stream: ByteStream, count: number) => unknown): Promise<Dialing> {
  const simulation = createSimulation({ seed: 1 });
  const bench = await startPlugin(mse, { with: config, simulation });
  const them = simulation.host("them");
  const listener = await simulation.complete(them.net.listen({ ip: "0.0.0.0", port: PORT }));
  const acceptAll = async (): Promise<void> => {
    for (let count = 1;; count++) void Promise.resolve(answer(await listener.accept(), count)).catch(() => {});
  };
  acceptAll().catch(() => {});
  const address = peerAddress(them.ip, PORT);
  const dialed: ByteStream[] = [];
  const abort = new AbortController();
  return {
    simulation,
    bench,
    them,
    dialed,
    abort,
    dial: () =>
      bench.bus.around(
        dialPeer,
        { id: sampleId, private: false, address, transport: "tcp", signal: abort.signal },
        async () => {
          const stream = await bench.host.net.connect(address);
          dialed.push(stream);
          return { stream, encryption: "none" };
        },
      ),
    async [Symbol.asyncDispose]() {
      listener.close();
      await bench.stop();
      simulation[Symbol.dispose]();
    },
  };
}

/** The plugin as it accepts one stream, whose other end is given to `dial`. */
async function accepting(config: unknown, dial: (stream: ByteStream) => unknown): Promise<{
  bench: PluginBench;
  opened: Promise<OpenedStream>;
}> {
  const bench = await startPlugin(mse, { with: config });
  const { simulation } = bench;
  const them = simulation.host("them");
  const listener = await simulation.complete(bench.host.net.listen({ ip: "0.0.0.0", port: PORT }));
  const connecting = them.net.connect(peerAddress(bench.host.ip, PORT));
  const [theirs, stream] = await simulation.complete(Promise.all([connecting, listener.accept()]));
  void Promise.resolve(dial(theirs)).catch(() => {});
  const { signal } = new AbortController();
  const request = { transport: "tcp", stream, secretOf: find, signal };
  const opened = bench.bus.around(
    acceptPeer,
    request,
    ({ stream }) => Promise.resolve({ stream, encryption: "none" as const }),
  );
  opened.catch(() => {});
  return { bench, opened };
}

const closes = (stream: ByteStream): void => stream.close();
const isSilent = (): void => {};

Deno.test("trackers are told whether encryption is supported or required", async () => {
  for (
    const [policy, told] of [["off", undefined], ["allow", "supported"], ["prefer", "supported"], [
      "require",
      "required",
    ]]
  ) {
    await using bench = await startPlugin(mse, { with: { policy } });
    assert.equal(bench.bus.get(streamSecurity, "mse")?.policy, told);
  }
});

Deno.test("prefer is the default; no other policy, and no empty list of ciphers, is taken", async () => {
  await using bench = await startPlugin(mse, { with: {} });
  assert.deepEqual(bench.config, { policy: "prefer" });
  await assert.rejects(startPlugin(mse, { with: { policy: "on" } }), /"off", "allow", "prefer" or "require"/);
  await assert.rejects(startPlugin(mse, { with: { ciphers: [] } }), /ciphers/);
});

Deno.test("prefer dials once more without encryption when the peer closes, answers garbage or does not answer", async () => {
  const answers: Readonly<Record<string, (stream: ByteStream) => unknown>> = {
    closes,
    resets: async (stream) => {
      await stream.read(new Uint8Array(1));
      stream.close();
    },
    "says something else": (stream) => stream.write(new Uint8Array(2_000).fill(7)),
    "answers as a plain peer": (stream) => stream.write(plainHandshake),
    "is silent": isSilent,
  };
  for (const [name, answer] of Object.entries(answers)) {
    await using test = await dialing({ policy: "prefer" }, (stream, count) => {
      return count === 1 ? answer(stream) : stream.write(utf8Encode("plain"));
    });
    const { simulation, dialed, bench } = test;
    const began = simulation.now;
    const { stream, encryption, wireId } = await simulation.complete(test.dial(), { limitMs: 9_000 });
    assert.ok(simulation.now - began < 6_000, `${name}: in time for a handshake`);
    assert.deepEqual([encryption, wireId, dialed.length], ["none", undefined, 2], name);
    assert.equal(stream, dialed[1]);
    await assert.rejects(simulation.complete(dialed[0].read(new Uint8Array(1))), Error, "the first is closed");
    const into = new Uint8Array(5);
    await simulation.complete(stream.read(into));
    assert.equal(utf8Decode(into), "plain");
    assert.deepEqual(bench.failures, []);
  }
});

Deno.test("require dials once, and blames a peer that does not encrypt", async () => {
  for (const answer of [closes, isSilent, (stream: ByteStream) => stream.write(plainHandshake)]) {
    await using test = await dialing({ policy: "require" }, answer);
    await assert.rejects(test.simulation.complete(test.dial()), (error) => {
      return error instanceof ProtocolError || error instanceof NetError;
    });
    assert.equal(test.dialed.length, 1);
    assert.deepEqual(test.bench.failures, []);
  }
});

Deno.test("allow and off dial without encryption", async () => {
  for (const policy of ["allow", "off"]) {
    await using test = await dialing({ policy }, isSilent);
    const { stream, encryption } = await test.simulation.complete(test.dial());
    assert.deepEqual([stream, encryption], [test.dialed[0], "none"]);
  }
});

Deno.test("a dial that nobody answers at all is not tried again", async () => {
  await using test = await dialing({ policy: "prefer" }, isSilent);
  const address = peerAddress(test.them.ip, PORT + 1);
  let dials = 0;
  const dial = test.bench.bus.around(
    dialPeer,
    { id: sampleId, private: false, address, transport: "tcp", signal: test.abort.signal },
    () => (dials++, Promise.reject(new NetError("refused", "Connection refused"))),
  );
  await assert.rejects(test.simulation.complete(dial), /Connection refused/);
  assert.equal(dials, 1);
});

Deno.test("a dial that is called off closes its stream, and blames nobody", async () => {
  await using test = await dialing({ policy: "prefer" }, isSilent);
  const dial = test.dial();
  const rejected = assert.rejects(dial, /Cannot encrypt: enough/);
  await test.simulation.run(1_000);
  test.abort.abort(new Error("enough"));
  await test.simulation.complete(rejected);
  assert.equal(test.dialed.length, 1);
  await assert.rejects(test.simulation.complete(test.dialed[0].read(new Uint8Array(1))), NetError);
  assert.deepEqual(test.bench.failures, []);
});

Deno.test("a plain peer is let in as it came, byte by byte too, but where encryption is required", async () => {
  const dribbles = async (stream: ByteStream): Promise<void> => {
    for (const byte of plainHandshake) await stream.write(Uint8Array.of(byte));
  };
  for (const policy of ["allow", "prefer", "off"]) {
    const { bench, opened } = await accepting({ policy }, dribbles);
    const { stream, encryption } = await bench.complete(opened);
    assert.equal(encryption, "none");
    const into = new Uint8Array(plainHandshake.length);
    for (let at = 0; at < into.length;) at += await bench.complete(stream.read(into.subarray(at)));
    assert.deepEqual(into, plainHandshake);
    await bench.stop();
  }
  const { bench, opened } = await accepting({ policy: "require" }, dribbles);
  await assert.rejects(bench.complete(opened), /does not encrypt, and the policy of mse is "require"/);
  assert.deepEqual(bench.failures, []);
  await bench.stop();
});

Deno.test("every pair of policies that can meet does, as both want it", async () => {
  const pairs: [dialer: string, acceptor: string, encryption: string | undefined][] = [
    ["off", "off", "none"],
    ["off", "allow", "none"],
    ["off", "require", undefined],
    ["allow", "prefer", "none"],
    ["allow", "require", undefined],
    ["prefer", "off", "none"],
    ["prefer", "allow", "rc4"],
    ["prefer", "prefer", "rc4"],
    ["prefer", "require", "rc4"],
    ["require", "off", undefined],
    ["require", "allow", "rc4"],
    ["require", "require", "rc4"],
  ];
  for (const [dialer, acceptor, encryption] of pairs) {
    const accepted: OpenedStream[] = [];
    const simulation = createSimulation({ seed: 1 });
    await using other = await startPlugin(mse, { with: { policy: acceptor }, simulation });
    const listener = await simulation.complete(other.host.net.listen({ ip: "0.0.0.0", port: PORT }));
    const acceptAll = async (): Promise<void> => {
      for (;;) {
        const stream = await listener.accept();
        const plain = (stream: ByteStream): Promise<OpenedStream> => Promise.resolve({ stream, encryption: "none" });
        const request = { transport: "tcp", stream, secretOf: find, signal: new AbortController().signal };
        const opening = other.bus.around(acceptPeer, request, async ({ stream }) => await plain(stream));
        // The kernel's part: what begins as no handshake is closed.
        opening.then(async (opened) => {
          const first = new Uint8Array(1);
          await opened.stream.read(first);
          if (first[0] !== plainHandshake[0]) return opened.stream.close();
          accepted.push(opened);
          await opened.stream.write(plainHandshake);
        }).catch(() => stream.close());
      }
    };
    acceptAll().catch(() => {});
    await using bench = await startPlugin(mse, { with: { policy: dialer }, simulation });
    const address = peerAddress(other.host.ip, PORT);
    const { signal } = new AbortController();
    const shake = async (): Promise<string> => {
      const opened = await bench.bus.around(
        dialPeer,
        { id: sampleId, private: false, address, transport: "tcp", signal },
        async () => ({ stream: await bench.host.net.connect(address), encryption: "none" as const }),
      );
      await opened.stream.write(plainHandshake);
      const into = new Uint8Array(plainHandshake.length);
      assert.equal(await opened.stream.read(into), into.length);
      assert.deepEqual(into, plainHandshake);
      return opened.encryption;
    };
    const met = await simulation.complete(shake().catch(() => undefined));
    assert.equal(met, encryption, `${dialer} dials ${acceptor}`);
    assert.deepEqual(accepted.map(({ encryption }) => encryption), encryption ? [encryption] : []);
    if (encryption === "rc4") assert.equal(accepted[0].wireId, sampleId.hex);
    listener.close();
  }
});
