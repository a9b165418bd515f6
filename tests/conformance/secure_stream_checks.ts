/** What encryption, or whatever wraps peers' streams, owes. @module */
import {
  acceptPeer,
  type ByteStream,
  dialPeer,
  encodeHandshake,
  type OpenedStream,
  peerAddress,
} from "../../core/api/mod.ts";
import { bytesEqual, sha1 } from "../../core/wire/mod.ts";
import { noise, type PluginBench, sampleId } from "../testing/mod.ts";
import { type Check, expect, type Outcome, show, told, Unmet } from "./check.ts";
import { readExactly, settle, streamChecks } from "./stream_checks.ts";
import type { Subject } from "./subject.ts";

const PORT = 6881;
const READ = "core/api/hooks.ts, dialPeer and acceptPeer";
// Longer than both hooks' deadlines (ms of simulated time).
const LIMIT = 40_000;
// Where what a peer sends is cut: at the start, and about where keys, pads and hashes of MSE end.
const CUTS = [0, 1, 20, 68, 95, 96, 97, 120, 200, 600];
const ENCRYPTIONS = ["none", "rc4", "plaintext"];

const swarms = [{ id: sampleId, private: false, name: "sample", seeding: false, nodes: [] }];
const plainHandshake = encodeHandshake({
  infoHash: sampleId.wireIds[0],
  peerId: new Uint8Array(20).fill(65),
  reserved: { extended: true, fast: true, dht: false },
});

const wraps = (subject: Subject): boolean => subject.handles(dialPeer) && subject.handles(acceptPeer);

/** The plugin on two hosts, and a raw stream between them. */
interface Ends {
  readonly dialer: PluginBench;
  readonly acceptor: PluginBench;
  readonly raw: readonly [ByteStream, ByteStream];
  /** It dialed again, as it may: the other end of that stream is nobody's, and says nothing. */
  readonly redialed: boolean;
  dial(): Promise<OpenedStream>;
  accept(): Promise<OpenedStream>;
}

/** Checks of what wraps both `dialPeer` and `acceptPeer`. */
export const secureStreamChecks: readonly Check[] = [
  {
    name: "meets itself at the other end, and says how the stream is encrypted",
    read: READ,
    applies: wraps,
    async run(subject) {
      const ends = await connect(subject);
      const [dialed, accepted] = await meet(ends);
      for (const { encryption } of [dialed, accepted]) {
        expect(ENCRYPTIONS.includes(encryption), `says encryption is ${show(encryption)}`, ENCRYPTIONS.join(", "));
      }
      expect(
        dialed.encryption === accepted.encryption,
        `says "${dialed.encryption}" at one end and "${accepted.encryption}" at the other`,
        "the same",
      );
      const { wireId } = accepted;
      expect(
        wireId === undefined || sampleId.wireIds.some(({ hex }) => hex === wireId),
        `says that the dialer named swarm ${show(wireId)}`,
        `"${sampleId.hex}", or nothing`,
      );
    },
  },
  ...streamChecks.map(({ name, run }): Check => ({
    name: `makes streams that ${name}`,
    read: "core/api/host.ts, ByteStream",
    applies: wraps,
    async run(subject) {
      const ends = await connect(subject);
      const [dialed, accepted] = await meet(ends);
      await run({ simulation: ends.dialer.simulation, ends: [dialed.stream, accepted.stream] });
    },
  })),
  {
    name: "passes plain peers through untouched, or refuses them",
    read: READ,
    applies: wraps,
    async run(subject) {
      const ends = await connect(subject);
      await ends.dialer.complete(ends.raw[0].write(plainHandshake));
      await expectBlameless(ends.acceptor, ends.accept(), plainHandshake, "a plain handshake");
    },
  },
  {
    name: "takes garbage for the peer's fault",
    read: `${READ}: a ProtocolError blames the peer, anything else the plugin`,
    applies: wraps,
    async run(subject) {
      for (const seed of [1, 2, 3]) {
        const garbage = noise(1_000, seed);
        const inwards = await connect(subject);
        await inwards.dialer.complete(inwards.raw[0].write(garbage));
        await expectBlameless(inwards.acceptor, inwards.accept(), garbage, "garbage");
        const outwards = await connect(subject);
        await outwards.dialer.complete(outwards.raw[1].write(garbage));
        await expectBlameless(outwards.dialer, outwards.dial(), garbage, "garbage for an answer", outwards);
      }
    },
  },
  {
    name: "takes a peer that leaves in the middle for the peer's fault",
    read: `${READ}: a ProtocolError blames the peer, anything else the plugin`,
    applies: wraps,
    async run(subject) {
      const opening = await openingOf(subject);
      for (const cut of CUTS) {
        const part = opening.slice(0, cut);
        const inwards = await connect(subject);
        await leaveAfter(inwards.raw[0], part, inwards.dialer);
        await expectBlameless(inwards.acceptor, inwards.accept(), part, `${part.length} bytes and the end`);
        const outwards = await connect(subject);
        await leaveAfter(outwards.raw[1], part, outwards.dialer);
        const what = `${part.length} bytes and the end for an answer`;
        await expectBlameless(outwards.dialer, outwards.dial(), part, what, outwards);
      }
    },
  },
];

/** Finds the sample swarm, as the kernel finds any of its own. */
function secretOf(hash: Uint8Array): Uint8Array | undefined {
  const { bytes } = sampleId.wireIds[0];
  const named = sha1(new Uint8Array([...new TextEncoder().encode("req2"), ...bytes]));
  return bytesEqual(named, hash) ? bytes : undefined;
}

async function connect(subject: Subject): Promise<Ends> {
  const world = await subject.world();
  const dialer = await world.start({ swarms });
  const acceptor = await world.start({ swarms });
  const address = peerAddress(acceptor.host.ip, PORT);
  const listener = await dialer.complete(acceptor.host.net.listen({ ip: "0.0.0.0", port: PORT }));
  const [a, b] = await dialer.complete(Promise.all([dialer.host.net.connect(address), listener.accept()]));
  const { signal } = new AbortController();
  const plain = (stream: ByteStream): Promise<OpenedStream> => Promise.resolve({ stream, encryption: "none" });
  let dials = 0;
  return {
    dialer,
    acceptor,
    raw: [a, b],
    get redialed() {
      return dials > 1;
    },
    dial: () =>
      dialer.bus.around(
        dialPeer,
        { id: sampleId, private: false, address, transport: "tcp", signal },
        async () => await plain(++dials === 1 ? a : await dialer.host.net.connect(address)),
      ),
    accept: () =>
      acceptor.bus.around(acceptPeer, { transport: "tcp", stream: b, secretOf, signal }, ({ stream }) => plain(stream)),
  };
}

/** Both ends with the plugin, shaken hands. */
async function meet({ dialer, dial, accept }: Ends): Promise<readonly [OpenedStream, OpenedStream]> {
  const outcome = await settle(dialer.simulation, Promise.all([dial(), accept()]), LIMIT);
  if (outcome.state === "resolved") return outcome.value;
  throw new Unmet(`${told(outcome)} when it met itself`, "both ends to open a stream");
}

/** The first bytes that its dialing end sends. */
async function openingOf(subject: Subject): Promise<Uint8Array> {
  const { raw, dial, dialer } = await connect(subject);
  dial().catch(() => {});
  const into = new Uint8Array(1_000);
  const outcome = await settle(dialer.simulation, raw[1].read(into), LIMIT);
  return outcome.state === "resolved" && outcome.value > 0 ? into.subarray(0, outcome.value) : plainHandshake;
}

async function leaveAfter(stream: ByteStream, bytes: Uint8Array, { simulation }: PluginBench): Promise<void> {
  await simulation.complete(stream.write(bytes));
  await simulation.complete(stream.closeWrite());
}

/** Whatever came must have been passed through as it was, or refused as the peer's fault; in time. */
async function expectBlameless(
  bench: PluginBench,
  opening: Promise<OpenedStream>,
  sent: Uint8Array,
  what: string,
  ends?: Ends,
): Promise<void> {
  const outcome: Outcome<OpenedStream> = await settle(bench.simulation, opening, LIMIT);
  const [failure] = bench.failures;
  expect(
    failure === undefined,
    `got ${what}, and failed: ${failure?.message}`,
    "a ProtocolError, which blames the peer",
  );
  expect(outcome.state !== "pending", `got ${what}, and waited for more`, "an end within the hook's deadline");
  if (outcome.state === "rejected" || ends?.redialed) return;
  const { stream, encryption } = outcome.value;
  const passed = await settle(bench.simulation, readExactly(stream, sent.length));
  // An opening that is whole is answered as one; what follows is the session's to judge.
  if (encryption !== "none") return;
  expect(
    passed.state === "resolved" && passed.value.join() === sent.join(),
    `got ${what}, and opened a stream with other bytes`,
    "the bytes as they came (ByteStream.unread), or a ProtocolError",
  );
}
