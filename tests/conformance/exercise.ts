/** Puts a started plugin to use: every event that it listens to, and a round of discovery. @module */
import {
  configReloaded,
  type Hook,
  parsePeerAddress,
  peerClosed,
  peerConnected,
  pieceFailed,
  pieceVerified,
  pluginState,
  swarmAdded,
  swarmCompleted,
  swarmRemoved,
  swarmState,
  trackerStatus,
} from "../../core/api/mod.ts";
import { type PluginBench, sampleId } from "../testing/mod.ts";

// What a plugin sets going goes on for so long (ms of simulated time).
const LIVELY = 90_000;

const swarm = { id: sampleId, name: "sample", private: false };
const peer = { ...swarm, address: parsePeerAddress("192.0.2.1:6881"), incoming: false, transport: "tcp" };
const status = { url: "http://tracker.example/announce", tier: 0, state: "working" } as const;

type Happening = (bench: PluginBench) => void;

function happening<In>(hook: Hook<"event", In, void>, what: NoInfer<In>): Happening {
  return ({ bus }) => bus.emit(hook, what);
}

/** A swarm's life, as its events tell it. */
const HAPPENINGS: readonly Happening[] = [
  happening(configReloaded, { generation: 2 }),
  happening(pluginState, { plugin: "other", state: "quarantined", reason: "5 faults within 1m", backoff: 30_000 }),
  happening(pluginState, { plugin: "other", state: "running", reason: "its pause is over" }),
  happening(swarmAdded, swarm),
  happening(swarmState, { ...swarm, state: "downloading" }),
  happening(trackerStatus, { ...swarm, status }),
  happening(peerConnected, peer),
  happening(pieceFailed, { ...swarm, piece: 0 }),
  happening(pieceVerified, { ...swarm, piece: 0 }),
  happening(peerClosed, { ...peer, reason: "the peer closed" }),
  happening(swarmCompleted, swarm),
  happening(swarmState, { ...swarm, state: "failed", error: "the disk is full" }),
  happening(swarmRemoved, swarm),
];

/** Lets all that can happen to a plugin happen, and some time pass. What it fails with is in `bench.failures`. */
export async function busy(bench: PluginBench): Promise<void> {
  for (const happen of HAPPENINGS) {
    happen(bench);
    await bench.simulation.run(10);
  }
  await bench.discover().catch(() => {});
  await bench.simulation.run(LIVELY);
}
