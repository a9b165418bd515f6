import { DatabaseSync } from "node:sqlite";
import { type Database, DiskError, type HostDb, type SqlValue, type Statement } from "../../api/mod.ts";
import { SqlSession } from "../sqlite.ts";
import type { Life } from "./life.ts";

/** The databases of one machine, by path: real SQLite in memory. What was committed outlives the process. */
export class MemoryDatabases {
  readonly #sessions = new Map<string, SqlSession>();
  readonly #holders = new Map<string, Life>();

  /** Locks the database at `path` for a process. */
  acquire(path: string, life: Life): SqlSession {
    if (this.#holders.has(path)) {
      throw new DiskError("denied", `Cannot open "${path}": another Weft has it open`);
    }
    let session = this.#sessions.get(path);
    if (!session) this.#sessions.set(path, session = new SqlSession(new DatabaseSync(":memory:")));
    this.#holders.set(path, life);
    return session;
  }

  release(path: string, life: Life): void {
    if (this.#holders.get(path) === life) this.#holders.delete(path);
  }

  /** Forgets everything. */
  dispose(): void {
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
  }
}

/** Opens the databases of a memory host for one process. */
export class MemoryDb implements HostDb {
  constructor(readonly databases: MemoryDatabases, readonly life: Life) {}

  async open(path: string): Promise<Database> {
    await this.life.step();
    const { databases, life } = this;
    const session = databases.acquire(path, life);
    const forget = life.atEnd(() => databases.release(path, life));
    return new MemoryDatabase(path, session, life, () => {
      forget();
      databases.release(path, life);
    });
  }
}

class MemoryDatabase implements Database {
  #closed = false;

  constructor(
    readonly path: string,
    readonly session: SqlSession,
    readonly life: Life,
    readonly release: () => void,
  ) {}

  async run(statements: readonly Statement[]): Promise<void> {
    await this.#begin();
    this.session.run(statements);
    await this.life.step();
  }

  async all(statement: Statement): Promise<readonly Readonly<Record<string, SqlValue>>[]> {
    await this.#begin();
    return this.session.all(statement);
  }

  async close(): Promise<void> {
    await this.life.step();
    if (!this.#closed) this.release();
    this.#closed = true;
  }

  async #begin(): Promise<void> {
    await this.life.step();
    if (this.#closed) throw new DiskError("io", `Cannot use "${this.path}": the database is closed`);
  }
}
