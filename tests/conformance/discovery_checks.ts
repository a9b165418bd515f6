/** What a discovery source owes. @module */
import {
  discoverPeers,
  type DiscoverRequest,
  type GatherStream,
  type HttpHandler,
  parsePeerAddress,
  type PeerCandidate,
  trackerClients,
  transports,
} from "../../core/api/mod.ts";
import { makeTorrent, type PluginBench, sampleId } from "../testing/mod.ts";
import { type Check, expect, show, watch } from "./check.ts";
import { Lab } from "./lab.ts";
import type { Subject } from "./subject.ts";

// The kernel asks no sooner, and no later (ms): what a source wishes beyond is a slip in its units.
const SOONEST = 5_000;
const LATEST = 24 * 60 * 60_000;
// The longest that a round may take (ms of simulated time).
const ROUND = discoverPeers.contract.deadline!;
// Who is told to stop has done so by then (ms of simulated time).
const PATIENCE = 5_000;
// Long enough for a source that announces on its own to have done it (ms of simulated time).
const PRIVATE_WATCH = 10 * 60_000;

const READ = "core/api/hooks.ts, discoverPeers";

/** What servers answer when they are broken or hostile. */
const ANSWERS: readonly HttpHandler[] = [
  () => new Response("", { status: 500 }),
  () => new Response("<html>"),
  () => Response.json([]),
  () => Response.json({ peers: null }),
  () => Response.json([null, 7, "", "nonsense", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:99999", {}]),
  () => new Response(Uint8Array.from({ length: 1_000 }, (_, i) => i * 41)),
];

const discovers = (subject: Subject): boolean => subject.handles(discoverPeers);

/** Checks of what handles `discoverPeers`. */
export const discoveryChecks: readonly Check[] = [
  {
    name: "names peers that can be dialed, or none",
    read: READ,
    applies: discovers,
    async run(subject) {
      for (const answers of ["as given", ...ANSWERS] as const) {
        await using bench = await (await subject.world(answers)).start();
        for (const candidate of await candidatesOf(bench)) {
          expect(isCandidate(candidate), `yielded ${show(candidate)}`, '{ address } from parsePeerAddress("ip:port")');
        }
      }
    },
  },
  {
    name: "answers a round without failing",
    read: READ,
    applies: (subject) => discovers(subject) && answersAreKnown(subject),
    async run(subject) {
      await using bench = await (await subject.world()).start();
      for (const request of [{ wanted: 50, port: 6881 }, { wanted: 1, port: 0 }]) {
        await bench.discover(sampleId, request).catch(() => {});
        const [failure] = bench.failures;
        expect(failure === undefined, `failed when asked for ${show(request)}: ${failure?.message}`, "an answer");
      }
    },
  },
  {
    name: "asks to be asked again at a time that makes sense",
    read: "core/api/hook.ts, GatherReturn",
    applies: discovers,
    async run(subject) {
      await using bench = await (await subject.world()).start();
      const again = (await lastOf(bench))?.again;
      expect(
        again === undefined || typeof again === "number" && again >= SOONEST && again <= LATEST,
        `returned { again: ${show(again)} }`,
        `milliseconds from ${SOONEST} to ${LATEST}, or nothing`,
      );
    },
  },
  {
    name: "ends a round when it is told to",
    read: "core/api/hook.ts, Handler, and core/api/plugin.ts, FetchOptions.signal",
    applies: discovers,
    async run(subject) {
      await using bench = await (await subject.world("nothing")).start();
      for (const wait of [0, 50, 1_000]) {
        for (const handler of handlersOf(bench)) {
          const abort = new AbortController();
          const round = watch(drain(handler(request, abort.signal)));
          await bench.simulation.run(wait);
          abort.abort(new Error("the round was given up"));
          await bench.simulation.run(PATIENCE);
          expect(
            round().state !== "pending",
            `still waited ${PATIENCE / 1000} s after its signal aborted`,
            "that the signal is passed on to what it awaits",
          );
        }
      }
    },
  },
  {
    name: "says nothing of private torrents",
    read: "core/api/plugin.ts, PluginScope.swarms",
    // A tracker client and a transport carry what the kernel sends.
    applies: (subject) => subject.keys(trackerClients).length === 0 && subject.keys(transports).length === 0,
    async run(subject) {
      await using lab = await Lab.start(subject);
      const torrent = makeTorrent({ length: 100_000, private: true });
      await lab.swarm.simulation.complete(lab.runtime.add({ source: torrent.bytes }));
      await lab.swarm.simulation.run(PRIVATE_WATCH);
      const told = lab.sent.find((what) => mentions(what, torrent.id));
      expect(
        told === undefined,
        `sent the info-hash of a private torrent: ${show(told)}`,
        "plugin.swarms to be asked before a swarm is named to anybody: it has only those that may be",
      );
    },
  },
];

const request: DiscoverRequest = { id: sampleId, wanted: 50, port: 6881 };

/** Whether the servers that it asks answer as its author said, or there are none: a round has no reason to fail then. */
function answersAreKnown({ options, given }: Subject): boolean {
  return options.serve !== undefined || !JSON.stringify(given).includes("://");
}

type Discover = (request: DiscoverRequest, signal: AbortSignal) => GatherStream<PeerCandidate>;

function handlersOf({ bus }: PluginBench): Discover[] {
  return bus.table.handlers(discoverPeers).map(({ handler }) => handler);
}

/** What a round yields, also one that fails later; asked of the handlers themselves, since the bus passes over nonsense. */
async function candidatesOf(bench: PluginBench): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  const ended = handlersOf(bench).map((handler) =>
    watch(drain(handler(request, bench.signal), (candidate) => found.push(candidate)))
  );
  for (let waited = 0; waited < ROUND && ended.some((end) => end().state === "pending"); waited += ROUND / 60) {
    await bench.simulation.run(ROUND / 60);
  }
  return found;
}

async function lastOf(bench: PluginBench): Promise<{ readonly again?: unknown } | undefined> {
  for (const handler of handlersOf(bench)) {
    const ended = watch(drain(handler(request, bench.signal)));
    await bench.simulation.run(ROUND);
    const outcome = ended();
    if (outcome.state === "resolved" && outcome.value) return outcome.value;
  }
}

async function drain(
  round: GatherStream<PeerCandidate>,
  take: (candidate: PeerCandidate) => void = () => {},
): Promise<{ readonly again?: unknown } | void> {
  for (;;) {
    const { done, value } = await round.next();
    if (done) return value;
    take(value);
  }
}

function isCandidate(candidate: unknown): boolean {
  const { address, namedBy } = (candidate ?? {}) as { address?: { key?: unknown }; namedBy?: unknown };
  try {
    return show(parsePeerAddress(String(address?.key))) === show(address) &&
      (namedBy === undefined || typeof namedBy === "string");
  } catch {
    return false;
  }
}

/** Whether what was sent has an info-hash in it: as bytes, percent-encoded, or in hex. */
function mentions(sent: URL | Uint8Array, hex: string): boolean {
  const raw = hex.replace(/../g, (pair) => String.fromCharCode(parseInt(pair, 16)));
  const text = sent instanceof URL
    ? sent.href.replace(/%([0-9a-f]{2})/gi, (_, pair) => String.fromCharCode(parseInt(pair, 16)))
    : Array.from(sent, (byte) => String.fromCharCode(byte)).join("");
  return text.includes(raw) || text.toLowerCase().includes(hex);
}
