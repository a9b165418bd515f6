/** What a running Weft answers, checked as strictly as it checks what it is asked. @module */
import type {
  FileSnapshot,
  PeerSnapshot,
  PlanChange,
  PluginSnapshot,
  ReloadPlan,
  RuntimeEvent,
  RuntimeSnapshot,
  SourceSnapshot,
  SwarmDetail,
  SwarmSnapshot,
  TrackerStatus,
} from "../api/mod.ts";
import {
  amount,
  anything,
  type Check,
  flag,
  listOf,
  objectOf,
  oneOf,
  optional,
  recordOf,
  type Shape,
  text,
} from "./checks.ts";

const tracker = objectOf<TrackerStatus>({
  url: text,
  tier: amount,
  state: oneOf("idle", "announcing", "working", "failed", "disabled"),
  lastAnnounce: optional(amount),
  nextAnnounce: optional(amount),
  seeders: optional(amount),
  leechers: optional(amount),
  peers: optional(amount),
  error: optional(text),
  warning: optional(text),
});

const swarmShape: Shape<SwarmSnapshot> = {
  id: text,
  name: text,
  state: oneOf("metadata", "checking", "downloading", "seeding", "finished", "held", "paused", "failed"),
  error: optional(text),
  held: optional(text),
  obstacles: optional(listOf(text)),
  origin: oneOf("profile", "user"),
  path: text,
  private: flag,
  sequential: flag,
  length: amount,
  wanted: amount,
  done: amount,
  wantedDone: amount,
  checked: optional(amount),
  pieces: amount,
  piecesDone: amount,
  pieceLength: amount,
  down: amount,
  up: amount,
  downloaded: amount,
  uploaded: amount,
  wasted: amount,
  ratio: amount,
  eta: optional(amount),
  connected: amount,
  candidates: amount,
  seeds: amount,
  trackers: listOf(tracker),
};

const file = objectOf<FileSnapshot>({ path: text, length: amount, done: amount, priority: amount });

const peer = objectOf<PeerSnapshot>({
  address: text,
  source: text,
  transport: text,
  encryption: text,
  incoming: flag,
  client: text,
  progress: amount,
  amChoking: flag,
  amInterested: flag,
  peerChoking: flag,
  peerInterested: flag,
  snubbed: flag,
  down: amount,
  up: amount,
  downloaded: amount,
  uploaded: amount,
  requested: amount,
});

const source = objectOf<SourceSnapshot>({
  url: text,
  kind: text,
  plugin: text,
  state: oneOf("working", "waiting", "failed"),
  error: optional(text),
  retryAt: optional(amount),
  down: amount,
  downloaded: amount,
  requested: amount,
});

const plugin = objectOf<PluginSnapshot>({
  name: text,
  use: text,
  state: oneOf("running", "quarantined", "retiring"),
  isolate: oneOf("none", "worker", "process"),
  generation: amount,
  until: optional(amount),
  holds: amount,
  hooks: listOf(
    objectOf<PluginSnapshot["hooks"][number]>({ hook: text, calls: amount, failures: amount, time: amount }),
  ),
  lastError: optional(text),
});

const change = objectOf<PlanChange>({
  action: oneOf("add", "remove", "replace", "change"),
  what: text,
  why: optional(text),
});

/** The checks, by what is answered. */
export const answers = {
  nothing: anything,
  swarm: objectOf<SwarmSnapshot>(swarmShape),
  detail: objectOf<SwarmDetail>({
    ...swarmShape,
    files: listOf(file),
    peers: listOf(peer),
    sources: listOf(source),
    bitfield: text,
    availability: listOf(amount),
  }),
  snapshot: objectOf<RuntimeSnapshot>({
    sequence: amount,
    version: text,
    started: amount,
    generation: amount,
    listening: listOf(text),
    down: amount,
    up: amount,
    connections: amount,
    memory: recordOf(amount),
    swarms: listOf(objectOf<SwarmSnapshot>(swarmShape)),
    plugins: listOf(plugin),
  }),
  event: objectOf<RuntimeEvent>({
    sequence: amount,
    time: amount,
    event: text,
    swarm: optional(text),
    data: recordOf(anything),
  }),
  plan: objectOf<ReloadPlan>({ changes: listOf(change) }),
  failure: objectOf<{ error: string; problems?: readonly string[] }>({ error: text, problems: optional(listOf(text)) }),
} satisfies Record<string, Check>;
