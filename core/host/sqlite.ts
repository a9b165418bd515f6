import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { SqlValue, Statement } from "../api/mod.ts";

/** One row of an answer, by column name. */
export type Row = Readonly<Record<string, SqlValue>>;

// An application has a few dozen statements; the cap keeps a caller that builds SQL texts from filling memory.
const PREPARED_LIMIT = 128;

/** Runs statements on an open SQLite database, each prepared once. Integers come back as numbers where they fit. */
export class SqlSession {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Runs the statements in one transaction; when one fails, none has happened. */
  run(statements: readonly Statement[]): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const { sql, values = [] } of statements) this.#prepare(sql).run(...values);
      this.#database.exec("COMMIT");
    } catch (error) {
      // SQLite has already rolled back after some errors (a full disk), and says so by refusing to do it again.
      try {
        this.#database.exec("ROLLBACK");
      } catch { /* nothing is open */ }
      throw error;
    }
  }

  /** The rows that a query answers. */
  all({ sql, values = [] }: Statement): Row[] {
    return this.#prepare(sql).all(...values).map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, narrow(value as SqlValue)]))
    );
  }

  close(): void {
    this.#prepared.clear();
    this.#database.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (!statement) {
      if (this.#prepared.size >= PREPARED_LIMIT) this.#prepared.clear();
      statement = this.#database.prepare(sql);
      statement.setReadBigInts(true);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}

function narrow(value: SqlValue): SqlValue {
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
