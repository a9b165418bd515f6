/** Pieces on disk, and the state that outlives the process. */
export { deleteFiles } from "./delete.ts";
export * from "./memory.ts";
export { heldByOthers, type Holder, ownFiles } from "./ownership.ts";
export * from "./paths.ts";
export { savedProgress } from "./resume.ts";
export { openPieceStore, type PieceStoreOptions, type TorrentStore } from "./piece_store.ts";
export * from "./records.ts";
export * from "./sha1.ts";
export * from "./types.ts";
export { ObstacleError } from "./write_guard.ts";
