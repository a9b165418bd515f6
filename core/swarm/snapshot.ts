/** A swarm as the control interface shows it. @module */
import type { SwarmDetail, SwarmSnapshot } from "../api/mod.ts";
import { toHex } from "../wire/mod.ts";
import { doneBytes, NORMAL_PRIORITY } from "./pieces/selection.ts";
import type { Swarm } from "./swarm.ts";

/** Sums and rates; `now` is the runtime's clock. */
export function snapshotOf(swarm: Swarm, now: number): SwarmSnapshot {
  const { record, shape, selection, ledger, peers } = swarm;
  const { uploaded, downloaded, wasted } = ledger.statistics(now);
  const { progress, checked } = swarm.pieces;
  const length = shape?.length ?? 0;
  const wanted = selection?.wantedBytes ?? length;
  const wantedDone = progress && selection ? Math.min(wanted, selection.wantedDone(progress)) : 0;
  const down = ledger.down.rate(now);
  return {
    id: swarm.id.key,
    name: swarm.name,
    state: swarm.state,
    error: swarm.error,
    held: swarm.held,
    obstacles: swarm.obstacles,
    origin: record.origin,
    path: record.path,
    private: swarm.private,
    sequential: record.sequential,
    length,
    wanted,
    done: progress && shape ? doneBytes(shape, progress) : 0,
    wantedDone,
    checked,
    pieces: shape?.pieceCount ?? 0,
    piecesDone: progress?.have.count ?? 0,
    pieceLength: shape?.pieceLength ?? 0,
    down,
    up: ledger.up.rate(now),
    downloaded,
    uploaded,
    wasted,
    ratio: length > 0 ? uploaded / length : 0,
    eta: swarm.fetching && down > 0 ? Math.round((wanted - wantedDone) / down * 1000) : undefined,
    connected: peers.sessions.size,
    candidates: peers.pool.size,
    seeds: [...peers.sessions].filter((session) => session.complete).length,
    trackers: swarm.trackers,
  };
}

/** The same with every file, peer and piece. */
export function detailOf(swarm: Swarm, now: number): SwarmDetail {
  const { shape, selection, peers, pieces: { progress, picker } } = swarm;
  return {
    ...snapshotOf(swarm, now),
    files: (shape?.files ?? []).map((file, index) => ({
      path: [...(shape!.multi ? [shape!.name] : []), ...file.path].join("/"),
      length: file.length,
      done: progress?.fileProgress(index) ?? 0,
      priority: selection?.priorities[index] ?? NORMAL_PRIORITY,
    })),
    peers: [...peers.sessions].map((session) => session.snapshot(now)),
    sources: swarm.sources.snapshots(now),
    bitfield: toHex(progress?.have.bytes ?? new Uint8Array(0)),
    availability: picker?.availability() ?? [],
  };
}
