import { type Database, DiskError, type HostDb, type SqlValue, type Statement } from "../../../api/mod.ts";
import { HostWorker } from "./host_worker.ts";
import type { DigestRange } from "./worker_protocol.ts";

// How long the second thread stays without work: a recheck asks again at once, and a thread costs some 10 MiB.
const HELPER_IDLE = 1000;

/** The work that the main thread hands out: digests and databases. Nothing is started before it is needed. */
export class HostWorkers implements HostDb {
  #worker: HostWorker | undefined;
  #helper: HostWorker | undefined;
  #helperTimer: ReturnType<typeof setTimeout> | undefined;

  /** Digests are spread over a second thread while several are wanted: a recheck is bound by hashing. */
  async digest(algorithm: "sha1" | "sha256", ranges: readonly DigestRange[]): Promise<Uint8Array | undefined> {
    const main = this.#main;
    if (main.pending > 0) this.#helper ??= new HostWorker();
    const helper = this.#helper;
    const worker = helper && helper.pending < main.pending ? helper : main;
    clearTimeout(this.#helperTimer);
    try {
      return await worker.call<Uint8Array | undefined>({ do: "digest", algorithm, ranges });
    } finally {
      if (this.#helper?.pending === 0) this.#restHelper();
    }
  }

  async open(path: string): Promise<Database> {
    const worker = this.#main;
    return new WorkerDatabase(path, worker, await worker.call<number>({ do: "open", path }));
  }

  /** Closes what is open and ends the threads. */
  async close(): Promise<void> {
    clearTimeout(this.#helperTimer);
    const workers = [this.#worker, this.#helper];
    this.#worker = this.#helper = undefined;
    await Promise.all(workers.map((worker) => worker?.close()));
  }

  #restHelper(): void {
    clearTimeout(this.#helperTimer);
    const timer = setTimeout(() => {
      void this.#helper?.close();
      this.#helper = undefined;
    }, HELPER_IDLE);
    Deno.unrefTimer(timer);
    this.#helperTimer = timer;
  }

  get #main(): HostWorker {
    return this.#worker ??= new HostWorker();
  }
}

class WorkerDatabase implements Database {
  readonly #path: string;
  readonly #worker: HostWorker;
  readonly #database: number;
  #closed: Promise<void> | undefined;

  constructor(path: string, worker: HostWorker, database: number) {
    this.#path = path;
    this.#worker = worker;
    this.#database = database;
  }

  run(statements: readonly Statement[]): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closedError());
    return this.#worker.call({ do: "run", database: this.#database, statements: statements.map(sendable) });
  }

  all(statement: Statement): Promise<readonly Readonly<Record<string, SqlValue>>[]> {
    if (this.#closed) return Promise.reject(this.#closedError());
    return this.#worker.call({ do: "all", database: this.#database, statement: sendable(statement) });
  }

  close(): Promise<void> {
    return this.#closed ??= this.#worker.call<void>({ do: "close", database: this.#database });
  }

  #closedError(): DiskError {
    return new DiskError("io", `Cannot use "${this.#path}": the database is closed`);
  }
}

/** A view is sent with all of the buffer behind it, which may be a large pool: send a copy of its own instead. */
function sendable({ sql, values }: Statement): Statement {
  const copies = values?.map((value) =>
    value instanceof Uint8Array && value.byteLength < value.buffer.byteLength ? value.slice() : value
  );
  return { sql, values: copies };
}
