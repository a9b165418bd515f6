/** The host's worker: hashes files and runs SQLite, so that the main thread never waits for either. @module */
import { createHash } from "node:crypto";
import { chmodSync, closeSync, constants, mkdtempSync, openSync, readSync, rmdirSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { DiskError, type DiskFault } from "../../../api/host.ts"; // alone: this is loaded in workers
import { SqlSession } from "../../sqlite.ts";
import { diskError } from "./error.ts";
import type { DigestRange, WorkerReply, WorkerRequest, WorkerTask } from "./worker_protocol.ts";

// The fastest size for read and hash by turns: it stays in the processor's second-level cache.
const READ_SIZE = 256 * 1024;

// SQLite's own words for its result codes (https://sqlite.org/rescode.html): exec() in node:sqlite gives no code.
const SQLITE_FAULTS: readonly (readonly [RegExp, DiskFault])[] = [
  [/database is locked|permission denied/, "denied"],
  [/disk is full/, "full"],
  [/readonly database/, "readOnly"],
  [/unable to open|disk I\/O error|malformed|not a database/, "io"],
];

// The owner reads and writes; nobody else does.
const PRIVATE = 0o600;

interface OpenDatabase {
  readonly path: string;
  readonly session: SqlSession;
}

const buffer = new Uint8Array(READ_SIZE);
const zeros = new Uint8Array(READ_SIZE);
const databases = new Map<number, OpenDatabase>();
let nextDatabase = 1;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<WorkerRequest>) => void;
  postMessage(reply: WorkerReply): void;
};

scope.onmessage = ({ data: { id, task } }) => {
  try {
    scope.postMessage({ id, value: perform(task) });
  } catch (error) {
    const { message } = error as Error;
    scope.postMessage({ id, error: { message, fault: error instanceof DiskError ? error.fault : undefined } });
  }
};

function perform(task: WorkerTask): unknown {
  switch (task.do) {
    case "digest":
      return digest(task.algorithm, task.ranges);
    case "open":
      return open(task.path);
    case "run":
      return using(task.database, (session) => session.run(task.statements));
    case "all":
      return using(task.database, (session) => session.all(task.statement));
    case "close":
      return close(task.database);
    case "closeAll":
      for (const database of databases.keys()) close(database);
  }
}

function digest(algorithm: "sha1" | "sha256", ranges: readonly DigestRange[]): Uint8Array | undefined {
  const hash = createHash(algorithm);
  let open: { path: string; fd: number } | undefined;
  let path = "";
  try {
    for (const range of ranges) {
      if (range.path === undefined) {
        for (let left = range.length; left > 0; left -= READ_SIZE) hash.update(zeros.subarray(0, left));
        continue;
      }
      if (open?.path !== range.path) {
        path = range.path;
        if (open) closeSync(open.fd);
        open = undefined;
        open = { path, fd: openSync(path, "r") };
      }
      for (let done = 0; done < range.length;) {
        const length = readSync(open.fd, buffer, 0, Math.min(READ_SIZE, range.length - done), range.position + done);
        if (length === 0) return undefined;
        hash.update(buffer.subarray(0, length));
        done += length;
      }
    }
    return new Uint8Array(hash.digest());
  } catch (error) {
    const failure = diskError(error, "read", path);
    if (failure.fault === "notFound") return undefined;
    throw failure;
  } finally {
    if (open) closeSync(open.fd);
  }
}

function open(path: string): number {
  let database: DatabaseSync | undefined;
  try {
    makePrivate(path);
    database = new DatabaseSync(path);
    database.exec("PRAGMA busy_timeout = 0");
    // Exclusive before WAL: no shared memory file, and the lock is held until close or the process's end.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = NORMAL");
    database.exec("BEGIN IMMEDIATE; COMMIT");
  } catch (error) {
    database?.close();
    const failure = diskError(sqliteError(error, "open", path), "open", path);
    if (!database) explain(path);
    if (database && failure.fault === "denied") {
      throw new DiskError("denied", `Cannot open "${path}": another Weft has it open`);
    }
    if (database) refuseReadOnly(path);
    throw failure;
  }
  databases.set(nextDatabase, { path, session: new SqlSession(database) });
  return nextDatabase++;
}

/**
 * A database that isn't there is made so that only its owner may use it, and one that is there loses what others may do:
 * it holds passkeys. SQLite gives the files beside it the same mode.
 */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, PRIVATE));
    return;
  } catch { /* it is there, or can't be made: opening it says why */ }
  for (const end of ["", "-wal", "-shm", "-journal"]) {
    try {
      const mode = statSync(path + end).mode & 0o777;
      if ((mode & ~PRIVATE) !== 0) chmodSync(path + end, mode & PRIVATE);
    } catch { /* it isn't there, or isn't ours to change */ }
  }
}

/** SQLite calls a file or a folder that it can't write to many things, a disk error among them. */
function refuseReadOnly(path: string): void {
  // Tried, since Deno tells what this user may do only to who may know which one it is.
  const tries: readonly (readonly [what: string, write: () => void])[] = [
    ["it", () => closeSync(openSync(path, constants.O_RDWR))],
    ["its folder", () => rmdirSync(mkdtempSync(`${path}-`))],
  ];
  for (const [what, write] of tries) {
    try {
      write();
    } catch (error) {
      const { fault } = diskError(error, "open", path);
      if (fault !== "denied" && fault !== "readOnly") continue;
      throw new DiskError(fault, `Cannot open "${path}": ${what} is read-only for this user; make ${what} writable`);
    }
  }
}

/** SQLite only says that it is unable to open a file; throws what is behind it. */
function explain(path: string): void {
  // Not while SQLite has the file open: closing any descriptor of a file drops the process's locks on it.
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT));
  } catch (error) {
    throw diskError(error, "open", path);
  }
}

function using<T>(database: number, work: (session: SqlSession) => T): T {
  const open = databases.get(database);
  if (!open) throw new DiskError("io", "Cannot use the database: it is closed");
  try {
    return work(open.session);
  } catch (error) {
    throw sqliteError(error, "use", open.path);
  }
}

function close(database: number): void {
  databases.get(database)?.session.close();
  databases.delete(database);
}

/** A fault of the disk as a DiskError; a mistake in the SQL stays what it is. */
function sqliteError(error: unknown, verb: string, path: string): unknown {
  const { message } = error as Error;
  const fault = SQLITE_FAULTS.find(([words]) => words.test(message))?.[1];
  const remedy = /malformed|not a database/.test(message) ? "; move it away to begin anew" : "";
  return fault ? new DiskError(fault, `Cannot ${verb} "${path}": ${message}${remedy}`) : error;
}
