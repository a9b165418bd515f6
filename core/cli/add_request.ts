/** From a torrent and the command line's options to what a runtime is asked. @module */
import type { AddSwarm, Runtime, SwarmSnapshot } from "../api/mod.ts";
import { withoutUndefined } from "../wire/mod.ts";
import { selectFiles } from "./selection.ts";
import type { TorrentSource } from "./source.ts";

/** Options that `get` and `add` share. */
export interface AddOptions {
  readonly peer?: readonly string[];
  readonly select?: string;
  readonly sequential?: true;
  readonly down?: number;
  readonly up?: number;
  readonly allowLocal?: true;
  readonly force?: true;
}

/** The request to download `read` into the folder `path` (the runtime's own if not given). */
export function addRequest(read: TorrentSource, options: AddOptions, path?: string): AddSwarm {
  const { down, up } = options;
  const select = options.select === undefined
    ? undefined
    : selectFiles(options.select, read.kind === "torrent" ? read.metainfo.info.files : undefined);
  return {
    source: read.source,
    origin: "user",
    existing: "resume",
    ...(path !== undefined && { path }),
    ...(select && { select }),
    ...(options.sequential && { sequential: true }),
    ...(options.peer && { peers: options.peer }),
    ...(options.allowLocal && { allowLocal: true }),
    ...(options.force && { force: true }),
    ...((down !== undefined || up !== undefined) && { limits: withoutUndefined({ down, up }) }),
  };
}

/**
 * Adds the swarm, or goes on with it when the runtime knows it from an earlier run: its state says what is there, the
 * request what is wanted now.
 */
export async function addOrResume(runtime: Runtime, request: AddSwarm, key: string): Promise<SwarmSnapshot> {
  const kept = runtime.snapshot().swarms.find(({ id }) => id === key);
  // A magnet whose metadata never came is replaced by the .torrent that has it.
  const knowsMore = kept?.pieces === 0 && typeof request.source !== "string";
  if (kept?.path !== request.path || knowsMore) {
    if (kept) await runtime.remove(key);
    return await runtime.add(request);
  }
  if (request.peers) await runtime.addPeers(key, request.peers);
  return await runtime.update(key, {
    paused: false,
    select: request.select ?? runtime.swarm(key).files.map((_, index) => index),
    sequential: request.sequential ?? false,
    allowLocal: request.allowLocal ?? false,
    limits: { down: undefined, up: undefined, ...request.limits },
    ...(request.force && { force: true }),
  });
}
