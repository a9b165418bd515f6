/** From a torrent and the command line's options to what a runtime is asked. @module */
import type { AddSwarm } from "../api/mod.ts";
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
}

/** The request to download `read` into the folder `path` (the runtime's own if not given). */
export function addRequest(read: TorrentSource, options: AddOptions, path?: string): AddSwarm {
  const { down, up } = options;
  const select = selection(read, options.select);
  return {
    source: read.source,
    origin: "user",
    existing: "resume",
    ...(path !== undefined && { path }),
    ...(select && { select }),
    ...(options.sequential && { sequential: true }),
    ...(options.peer && { peers: options.peer }),
    ...(options.allowLocal && { allowLocal: true }),
    ...((down !== undefined || up !== undefined) && { limits: { ...(down && { down }), ...(up && { up }) } }),
  };
}

function selection(read: TorrentSource, select: string | undefined): readonly number[] | undefined {
  if (select !== undefined) return selectFiles(select, read.kind === "torrent" ? read.metainfo.info.files : undefined);
  if (read.kind === "torrent" || !read.magnet.select) return undefined;
  return read.magnet.select.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
}
