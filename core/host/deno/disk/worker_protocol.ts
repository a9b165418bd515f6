/** What the main thread and the host's worker say to each other. @module */
import type { DiskFault, FileRange, Statement } from "../../../api/mod.ts";

/** Bytes to hash: of a file, or zeros. */
export type DigestRange = FileRange | { readonly path?: undefined; readonly length: number };

/** What the worker can be asked. Databases are known by the number that opening them returned. */
export type WorkerTask =
  | { readonly do: "digest"; readonly algorithm: "sha1" | "sha256"; readonly ranges: readonly DigestRange[] }
  | { readonly do: "open"; readonly path: string }
  | { readonly do: "run"; readonly database: number; readonly statements: readonly Statement[] }
  | { readonly do: "all"; readonly database: number; readonly statement: Statement }
  | { readonly do: "close"; readonly database: number }
  | { readonly do: "closeAll" };

/** A task with the number that its answer carries. */
export interface WorkerRequest {
  readonly id: number;
  readonly task: WorkerTask;
}

/** The answer to one request. */
export type WorkerReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly fault?: DiskFault } };
