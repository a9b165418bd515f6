/**
 * The catalogue: every hook of the kernel. Each constant says when it fires.
 *
 * @module
 */
import { type PeerAddress, redactUrls, type TorrentId } from "../wire/mod.ts";
import type { SourceClient } from "./block_source.ts";
import { readCandidate } from "./candidate.ts";
import {
  admitCodec,
  configReloadedCodec,
  discoverCodec,
  holdCodec,
  metadataCodec,
  nodeNamedCodec,
  peerClosedCodec,
  peerCodec,
  peerUnreachableCodec,
  pieceCodec,
  pluginStateCodec,
  swarmCodec,
  swarmStateCodec,
  trackerStatusCodec,
} from "./codecs.ts";
import { defineHook } from "./hook.ts";
import type { Hook, Lend } from "./hook.ts";
import type { WireExtension } from "./extension.ts";
import type { TrackerClient, TrackerStatus } from "./tracker.ts";
import type { Transport } from "./transport.ts";
import type {
  PeerEvent,
  PeerUnreachableEvent,
  PieceEvent,
  PluginStateEvent,
  SwarmEvent,
  SwarmStateEvent,
} from "./events.ts";
import type {
  AcceptRequest,
  AdmitAnswer,
  AdmitRequest,
  DhtService,
  DialRequest,
  DiscoverRequest,
  HoldRequest,
  OpenedStream,
  PeerCandidate,
  StreamSecurity,
} from "./requests.ts";

/** One round of discovery for one swarm. The kernel decides when: by demand, backoff and the sources' `again`. */
export const discoverPeers: Hook<"gather", DiscoverRequest, PeerCandidate> = defineHook<
  DiscoverRequest,
  PeerCandidate
>()("gather", "peers.discover", {
  deadline: 60_000,
  onFailure: "skip",
  problem: (candidate) => readCandidate(candidate) ? undefined : "it yielded what is no peer: write { address }",
  codec: discoverCodec,
});

/**
 * Which addresses may be peers; see {@link AdmitStage} for when it is asked. All filters are asked, and who is refused by
 * one is refused; undefined is no objection. A filter that fails, or is left out for its faults, refuses all. A filter
 * whose list changed detaches its handler and attaches it anew: then it is asked about everybody who is there.
 *
 * Peers that the user named pass unasked. A filter that does not want `private` is not asked about the peers of private
 * swarms, which pass it, and while there is a private swarm not at `arrival` either: it is asked at `session` then, when
 * the handshake named a swarm of all.
 */
export const admitPeers: Hook<"every", AdmitRequest, AdmitAnswer> = defineHook<AdmitRequest, AdmitAnswer>()(
  "every",
  "peers.admit",
  {
    deadline: 5_000,
    onFailure: "refuse",
    problem: (answer, { addresses }) =>
      Array.isArray(answer) && answer.length === addresses.length && answer.every((each) => typeof each === "boolean")
        ? undefined
        : "it answered something else than a list of true or false for each address",
    codec: admitCodec,
  },
);

/**
 * A peer is being dialed over one of the transports that are raced: wrap it to encrypt or to refuse. What `next` gives
 * has won the race; it rejects where another transport did, and may be called again to dial anew. Only wraps that want
 * `private` are around dials of private swarms.
 */
export const dialPeer: Hook<"around", DialRequest, OpenedStream> = defineHook<DialRequest, OpenedStream>()(
  "around",
  "peers.dial",
  { deadline: 30_000, onFailure: "refuse", lends: lendOpened },
);

/**
 * A connection came in: wrap it to decrypt or to refuse. The kernel closes a stream that hasn't shaken hands after 10 s,
 * so that only a wrap that hangs by itself misses the deadline. Any connection may be for a private swarm, so only plugins
 * that want `private` may attach.
 */
export const acceptPeer: Hook<"around", AcceptRequest, OpenedStream> = defineHook<AcceptRequest, OpenedStream>()(
  "around",
  "peers.accept",
  { deadline: 20_000, onFailure: "refuse", lends: lendOpened, mayBePrivate: true },
);

/**
 * Ways to reach peers, by name: `tcp`, `utp`. Their order in the profile is the order of preference. Peers of private
 * swarms are met only over those of plugins that want `private`.
 */
export const transports: Hook<"keyed", string, Transport> = defineHook<string, Transport>()(
  "keyed",
  "transports",
  {
    onFailure: "skip",
    lends: (transport, lend) => ({
      dial: async (address, signal, grant) => lend.stream(await lend.during(transport.dial(address, signal, grant))),
      listen: (at, accept) => transport.listen(at, (stream) => accept(lend.stream(stream))),
    }),
  },
);

/**
 * Tracker clients, by URL scheme without the colon: `http`, `https`, `udp`. Trackers of private swarms, whose URLs may be
 * secret, are asked through those of plugins that want `private` alone.
 */
export const trackerClients: Hook<"keyed", string, TrackerClient> = defineHook<string, TrackerClient>()(
  "keyed",
  "trackers.client",
  {
    onFailure: "skip",
    lends: (client, lend) => ({
      announce: (request, signal) => lend.during(client.announce(request, signal)),
      scrape: client.scrape && ((request, signal) => lend.during(client.scrape!(request, signal))),
    }),
  },
);

/**
 * Clients of sources of blocks that are no peers, by URL scheme without the colon: `http`, `https`. Those of private
 * swarms are asked through clients of plugins that want `private` alone.
 */
export const blockSources: Hook<"keyed", string, SourceClient> = defineHook<string, SourceClient>()(
  "keyed",
  "blocks.source",
  {
    onFailure: "skip",
    lends: (client, lend) => ({ fetch: (swarm, signal) => lend.during(client.fetch(swarm, signal)) }),
  },
);

/**
 * BEP 10 extensions, by name: `ut_metadata`, `ut_pex`. In private swarms only those of plugins that want `private` are
 * offered, and none that is `publicOnly`.
 */
export const wireExtensions: Hook<"keyed", string, WireExtension> = defineHook<string, WireExtension>()(
  "keyed",
  "wire.extension",
  { onFailure: "skip" },
);

/** DHT nodes of this runtime, by any name: peers are told the port of the first that has one (BEP 5), but not those of private swarms. */
export const dhtService: Hook<"keyed", string, DhtService> = defineHook<string, DhtService>()(
  "keyed",
  "dht.service",
  { onFailure: "skip" },
);

/** A peer told the port of its DHT node (BEP 5). */
export const dhtNodeNamed: Hook<"event", { readonly address: PeerAddress }, void> = defineHook<
  { readonly address: PeerAddress }
>()("event", "dht.node", { onFailure: "skip", codec: nodeNamedCodec });

/** A magnet's `info` dictionary is wanted. The answer is its raw bytes; the kernel verifies them. */
export const resolveMetadata: Hook<"first", { readonly id: TorrentId }, Uint8Array> = defineHook<
  { readonly id: TorrentId },
  Uint8Array
>()("first", "metadata.resolve", {
  onFailure: "skip",
  problem: (answer) => answer instanceof Uint8Array ? undefined : "it answered something else than bytes",
  codec: metadataCodec,
});

/**
 * A swarm is about to fetch metadata, to check its files, to download or to seed: the answer is the reason why it may not
 * now, as people read it, and it is held until another answer comes. Asked again when what it does changes, and for
 * every swarm after a plugin calls `swarms.review()`. A plugin that fails holds nothing. What the user paused isn't asked
 * about; a private swarm's name goes to those alone that want such.
 */
export const holdSwarm: Hook<"first", HoldRequest, string> = defineHook<HoldRequest, string>()("first", "swarm.hold", {
  deadline: 5_000,
  onFailure: "skip",
  problem: (answer) => typeof answer === "string" && answer !== "" ? undefined : "it answered what is no reason",
  codec: holdCodec,
});

/** A swarm was added, by the profile or by a command. */
export const swarmAdded: Hook<"event", SwarmEvent, void> = defineHook<SwarmEvent>()("event", "swarm.added", {
  onFailure: "skip",
  codec: swarmCodec,
});

/** A swarm was removed. */
export const swarmRemoved: Hook<"event", SwarmEvent, void> = defineHook<SwarmEvent>()("event", "swarm.removed", {
  onFailure: "skip",
  codec: swarmCodec,
});

/** A swarm's state changed: checking, downloading, seeding, held, paused, failed. */
export const swarmState: Hook<"event", SwarmStateEvent, void> = defineHook<SwarmStateEvent>()("event", "swarm.state", {
  onFailure: "skip",
  codec: swarmStateCodec,
});

/** A peer could not be dialed over any transport. */
export const peerUnreachable: Hook<"event", PeerUnreachableEvent, void> = defineHook<PeerUnreachableEvent>()(
  "event",
  "peer.unreachable",
  { onFailure: "skip", codec: peerUnreachableCodec },
);

/** What plugins do to encrypt streams of peers, by any name: trackers are told the strictest. */
export const streamSecurity: Hook<"keyed", string, StreamSecurity> = defineHook<string, StreamSecurity>()(
  "keyed",
  "stream.security",
  { onFailure: "skip" },
);

/** A peer finished its handshake. */
export const peerConnected: Hook<"event", PeerEvent, void> = defineHook<PeerEvent>()("event", "peer.connected", {
  onFailure: "skip",
  codec: peerCodec,
});

/** A peer's connection ended; `reason` says why. */
export const peerClosed: Hook<"event", PeerEvent & { readonly reason: string }, void> = defineHook<
  PeerEvent & { readonly reason: string }
>()("event", "peer.closed", { onFailure: "skip", codec: peerClosedCodec });

/** A piece was verified and is on disk. */
export const pieceVerified: Hook<"event", PieceEvent, void> = defineHook<PieceEvent>()("event", "piece.verified", {
  onFailure: "skip",
  codec: pieceCodec,
});

/** A piece did not match its hash. */
export const pieceFailed: Hook<"event", PieceEvent, void> = defineHook<PieceEvent>()("event", "piece.failed", {
  onFailure: "skip",
  codec: pieceCodec,
});

/** Every wanted piece is there. */
export const swarmCompleted: Hook<"event", SwarmEvent, void> = defineHook<SwarmEvent>()("event", "swarm.completed", {
  onFailure: "skip",
  codec: swarmCodec,
});

/** A tracker answered or failed. Plugins get its URL, and those in its messages, without path and query. */
export const trackerStatus: Hook<"event", SwarmEvent & { readonly status: TrackerStatus }, void> = defineHook<
  SwarmEvent & { readonly status: TrackerStatus }
>()("event", "tracker.status", { onFailure: "skip", codec: trackerStatusCodec, redact: withoutSecrets });

/** A plugin was left out after repeated faults (`quarantined`), or takes part again (`running`). */
export const pluginState: Hook<"event", PluginStateEvent, void> = defineHook<PluginStateEvent>()(
  "event",
  "plugin.state",
  { onFailure: "skip", codec: pluginStateCodec, redact: (it) => ({ ...it, reason: redactUrls(it.reason) }) },
);

/** A new configuration was committed. */
export const configReloaded: Hook<"event", { readonly generation: number }, void> = defineHook<
  { readonly generation: number }
>()("event", "config.reloaded", { onFailure: "skip", codec: configReloadedCodec });

function withoutSecrets<E extends { readonly status: TrackerStatus }>(event: E): E {
  const { url, error, warning } = event.status;
  const status = {
    ...event.status,
    url: redactUrls(url),
    ...(error !== undefined && { error: redactUrls(error) }),
    ...(warning !== undefined && { warning: redactUrls(warning) }),
  };
  return { ...event, status };
}

function lendOpened(opened: OpenedStream, lend: Lend): OpenedStream {
  return { ...opened, stream: lend.stream(opened.stream) };
}
