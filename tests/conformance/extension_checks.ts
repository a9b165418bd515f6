/** What a wire extension (BEP 10) owes. @module */
import {
  type ExtensionPeer,
  parsePeerAddress,
  type PeerExtension,
  type WireExtension,
  wireExtensions,
} from "../../core/api/mod.ts";
import { noise, type PluginBench, sampleId } from "../testing/mod.ts";
import { type Check, expect, show, Unmet } from "./check.ts";
import type { Subject } from "./subject.ts";

const READ = "core/api/extension.ts, PeerExtension";
// What ends with a session has ended by then (ms of simulated time).
const AFTERMATH = 120_000;
// Lengths of hostile messages in bytes, up to what a frame may have.
const LENGTHS = [0, 1, 2, 3, 7, 20, 64, 300, 5_000, 256 * 1024];
// Messages that say something, in the shapes that extensions are made of.
const TEXTS = ["", "d", "de", "le", "i0e", "i-1e", "d8:msg_typei0e5:piecei0ee", "d5:added6:AAAAAAe", "d1:a", "4:spam"];
// BEP 27: peers of private torrents come from their trackers alone. These extensions name others.
const NAMES_PEERS = /pex/i;

const offers = (subject: Subject): boolean => subject.keys(wireExtensions).length > 0;

/** One session with the extension on it. */
interface Session {
  readonly bench: PluginBench;
  readonly extension: PeerExtension;
  readonly sent: Uint8Array[];
  readonly closed: unknown[];
}

/** Checks of what provides `wireExtensions`. */
export const extensionChecks: readonly Check[] = [
  {
    name: "names no peers on private torrents",
    read: "core/api/extension.ts, WireExtension.publicOnly, and BEP 27",
    applies: (subject) => subject.keys(wireExtensions).some((key) => NAMES_PEERS.test(key)),
    async run(subject) {
      await using bench = await (await subject.world()).start();
      for (const key of subject.keys(wireExtensions).filter((key) => NAMES_PEERS.test(key))) {
        const part = factoryOf(bench, key)({ ...silentPeer, private: true });
        expect(
          part === undefined || bench.bus.get(wireExtensions, key)?.publicOnly === true,
          `takes part in sessions of private torrents as "${key}"`,
          "publicOnly: true",
        );
      }
    },
  },
  sessionCheck("closes at most the peer, whatever it sends", async ({ bench, extension, closed }) => {
    const payloads = [
      ...TEXTS.map((text) => new TextEncoder().encode(text)),
      ...LENGTHS.map((length, i) => noise(length, i + 1)),
    ];
    for (const payload of payloads) {
      blame(payload, () => extension.message(payload.slice()));
      await bench.simulation.run(10);
    }
    for (const reason of closed) {
      expect(reason instanceof Error, `closed the peer with ${show(reason)}`, "an Error that says why");
    }
  }),
  sessionCheck("ends with its session, and is quiet afterwards", async ({ bench, extension, sent }) => {
    calmly("a second closed()", () => {
      extension.closed?.();
      extension.closed?.();
    });
    sent.length = 0;
    calmly("a message after closed()", () => extension.message(noise(20, 1)));
    await bench.simulation.run(AFTERMATH);
    expect(sent.length === 0, `sent ${sent.length} messages after closed()`, "silence");
  }),
  sessionCheck("lets go of what it held for a session", async ({ bench, extension }, before) => {
    await bench.simulation.run(1_000);
    calmly("closed()", () => extension.closed?.());
    await bench.simulation.run(1_000);
    const left = bench.open();
    expect(
      left.length <= before.length,
      `still has ${left.join(", ")} after the session, and had ${before.join(", ") || "nothing"} before it`,
      "timers and streams of a session to end in closed()",
    );
  }),
  sessionCheck("bears with peers that offer it late, or no more", async ({ bench, extension }) => {
    for (const offered of [false, true, true, false, true]) {
      calmly(`peerHandshake(${offered})`, () => extension.peerHandshake?.(offered));
      await bench.simulation.run(1_000);
    }
  }),
];

const silentPeer: ExtensionPeer = {
  id: sampleId,
  address: parsePeerAddress("192.0.2.1:6881"),
  incoming: false,
  transport: "tcp",
  private: false,
  listening: () => undefined,
  offers: () => false,
  connected: () => [],
  metadata: () => undefined,
  backlog: () => 0,
  metadataSize: () => undefined,
  dialNow: () => {},
  found: () => {},
  send: () => {},
  close: () => {},
};

function factoryOf({ bus }: PluginBench, key: string): WireExtension["join"] {
  const extension = bus.get(wireExtensions, key)!;
  return (peer) => extension.join(peer);
}

/** A check of each extension on sessions of both directions, after the peer offered it. */
function sessionCheck(name: string, run: (session: Session, before: readonly string[]) => Promise<void>): Check {
  return {
    name,
    read: READ,
    applies: offers,
    async run(subject) {
      for (const key of subject.keys(wireExtensions)) {
        for (const incoming of [false, true]) {
          subject.strays.take();
          await using bench = await (await subject.world()).start();
          const before = bench.open();
          const sent: Uint8Array[] = [];
          const closed: unknown[] = [];
          const extension = factoryOf(bench, key)({
            ...silentPeer,
            incoming,
            send: (payload) => void sent.push(payload),
            close: (reason) => void closed.push(reason),
          });
          if (!extension) continue;
          if (name.startsWith("bears") === false) extension.peerHandshake?.(true);
          await run({ bench, extension, sent, closed }, before);
          const [stray] = subject.strays.take();
          expect(stray === undefined, `left a rejection that nobody handles: ${stray}`, "that it is caught");
        }
      }
    },
  };
}

/** A throw of anything but a ProtocolError is the extension's own fault. */
function blame(payload: Uint8Array, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (error instanceof Error && error.name === "ProtocolError") return;
    throw new Unmet(
      `threw ${show(error)} at a message of ${payload.length} bytes`,
      "a ProtocolError or peer.close(), which end the session alone",
    );
  }
}

function calmly(what: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new Unmet(`threw ${show(error)} at ${what}`, "nothing to happen");
  }
}
