// What outlives the process: the swarms, their statistics, and which pieces are on disk.
import type { Database, PluginState, SqlValue, Statement, SwarmLimits, SwarmSetting } from "../api/mod.ts";
import { withoutUndefined } from "../wire/mod.ts";

/** Bytes of the bitfield in one row, 8,192 pieces: a claim rewrites this much, not the bitfield of a huge torrent. */
export const PAGE_BYTES = 1024;

// A damaged page may hold thousands of rows that mean nothing: the log names the first.
const MAX_COMPLAINTS = 10;

// An entry of the profile keeps no more: what it learns from strangers must not fill the disk.
const MAX_PLUGIN_BYTES = 1024 * 1024;

// Grows by one with every change of the tables; `open` migrates older ones.
const SCHEMA_VERSION = 2;

const SCHEMA: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS swarm (
    key TEXT PRIMARY KEY, source BLOB NOT NULL, options TEXT NOT NULL,
    uploaded INTEGER NOT NULL DEFAULT 0, downloaded INTEGER NOT NULL DEFAULT 0, wasted INTEGER NOT NULL DEFAULT 0,
    seed_time INTEGER NOT NULL DEFAULT 0, completed INTEGER
  ) STRICT`,
  `CREATE TABLE IF NOT EXISTS page (
    key TEXT NOT NULL, page INTEGER NOT NULL, bits BLOB NOT NULL, PRIMARY KEY (key, page)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS file (
    key TEXT NOT NULL, file INTEGER NOT NULL, home TEXT NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL,
    writing INTEGER NOT NULL, PRIMARY KEY (key, file)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS plugin (
    entry TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (entry, key)
  ) STRICT, WITHOUT ROWID`,
];

/** What a swarm is made of, as the user gave it. */
export interface SwarmOptions {
  /** Where its files go. */
  readonly path: string;
  readonly origin: "profile" | "user";
  /** Wall-clock milliseconds. */
  readonly added: number;
  readonly paused: boolean;
  /** File indexes; all if not given. */
  readonly select?: readonly number[];
  /** File index to priority. */
  readonly priorities?: Readonly<Record<number, number>>;
  readonly sequential: boolean;
  /** Its files are never written to. */
  readonly readOnly?: boolean;
  /** They are read through symlinks. */
  readonly followLinks?: boolean;
  readonly limits?: SwarmLimits;
  readonly allowLocal: boolean;
  readonly peers: readonly string[];
  readonly trackers: readonly string[];
  /** What the profile said of it last, if it brought it. */
  readonly setting?: SwarmSetting;
}

/** Sums over the life of a swarm. Bytes, and milliseconds for `seedTime`. */
export interface SwarmStatistics {
  readonly uploaded: number;
  readonly downloaded: number;
  readonly wasted: number;
  readonly seedTime: number;
  /** Wall-clock milliseconds of its completion. */
  readonly completed?: number;
}

/** One swarm as it is kept. */
export interface SwarmRecord extends SwarmOptions, SwarmStatistics {
  /** The torrent id's `key`. */
  readonly key: string;
  /** A .torrent file's bytes, or a magnet link. */
  readonly source: Uint8Array | string;
}

/** Where the bytes of a file live: at its own path, or in the part file. */
export type FileHome = "file" | "part";

/** The size of a file in whose stamp nobody trusts: all its pieces have to be hashed before they are believed. */
export const UNSURE = -1;

/** How a file was left. */
export interface FileStamp {
  /** Index of the file. */
  readonly file: number;
  readonly home: FileHome;
  /** Bytes, or {@link UNSURE}. */
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  /** We may have written to it since: size and time are then lower bounds. */
  readonly writing: boolean;
}

/** Which pieces of one torrent are on disk. */
export interface PieceRecords {
  /** What was committed last; no bits when there are none, or they don't fit. */
  load(pieceCount: number): Promise<{ bits?: Uint8Array; stamps: readonly FileStamp[] }>;
  /** Commits pages of the bitfield and stamps of files in one transaction. */
  commit(change: {
    readonly pages: readonly { readonly page: number; readonly bits: Uint8Array }[];
    readonly stamps: readonly FileStamp[];
  }): Promise<void>;
}

/** All state of a runtime, in SQLite. Rows that can't be read count as absent, and the log says so. */
export class StateStore {
  readonly #db: Database;
  readonly #log: (message: string) => void;

  private constructor(db: Database, log: (message: string) => void) {
    this.#db = db;
    this.#log = log;
  }

  /** Creates the tables or migrates them. Throws Error when a newer Weft wrote them. */
  static async open(db: Database, log: (message: string) => void = () => {}): Promise<StateStore> {
    const [row] = await db.all({ sql: "PRAGMA user_version" });
    const version = Number(row?.user_version ?? 0);
    if (version > SCHEMA_VERSION) {
      throw new Error(
        `Cannot open state: it has version ${version}, this Weft knows up to ${SCHEMA_VERSION}; update Weft`,
      );
    }
    if (version < SCHEMA_VERSION) {
      await db.run([...SCHEMA, `PRAGMA user_version = ${SCHEMA_VERSION}`].map((sql) => ({ sql })));
    }
    return new StateStore(db, log);
  }

  /** Every swarm, oldest first. */
  async swarms(): Promise<SwarmRecord[]> {
    const records: SwarmRecord[] = [];
    let [unreadable, flawed] = [0, 0];
    for (const row of await this.#db.all({ sql: "SELECT * FROM swarm" })) {
      try {
        const { record, flaw } = readSwarm(row);
        records.push(record);
        if (flaw !== undefined && ++flawed <= MAX_COMPLAINTS) this.#log(flaw);
      } catch (error) {
        if (++unreadable > MAX_COMPLAINTS) continue;
        this.#log(`Cannot read the saved swarm "${row.key}", it is left out: ${(error as Error).message}`);
      }
    }
    if (unreadable > MAX_COMPLAINTS) {
      this.#log(`Cannot read ${unreadable - MAX_COMPLAINTS} more saved swarms: the state file is damaged`);
    }
    return records.sort((a, b) => a.added - b.added);
  }

  /** Adds a swarm, or replaces what the user may change about it; its statistics stay. */
  async saveSwarm(record: SwarmRecord): Promise<void> {
    const { key, source, uploaded, downloaded, wasted, seedTime, completed, ...options } = record;
    await this.#db.run([{
      sql: `INSERT INTO swarm (key, source, options, uploaded, downloaded, wasted, seed_time, completed)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (key) DO UPDATE SET source = excluded.source, options = excluded.options`,
      values: [
        key,
        typeof source === "string" ? new TextEncoder().encode(source) : source,
        JSON.stringify({ ...options, magnet: typeof source === "string" }),
        ...[uploaded, downloaded, wasted, seedTime].map(Math.round),
        completed ?? null,
      ],
    }]);
  }

  /** Forgets a swarm and its pieces. */
  async removeSwarm(key: string): Promise<void> {
    await this.#db.run(
      ["swarm", "page", "file"].map((table) => ({ sql: `DELETE FROM ${table} WHERE key = ?`, values: [key] })),
    );
  }

  /** Saves the sums of a swarm. */
  async saveStatistics(key: string, statistics: SwarmStatistics): Promise<void> {
    const { uploaded, downloaded, wasted, seedTime, completed } = statistics;
    await this.#db.run([{
      sql: "UPDATE swarm SET uploaded = ?, downloaded = ?, wasted = ?, seed_time = ?, completed = ? WHERE key = ?",
      values: [...[uploaded, downloaded, wasted, seedTime].map(Math.round), completed ?? null, key],
    }]);
  }

  /** What the plugin of a profile's entry keeps. */
  plugin(entry: string): PluginState {
    return {
      get: async (key) => {
        const [row] = await this.#db.all({
          sql: "SELECT value FROM plugin WHERE entry = ? AND key = ?",
          values: [entry, key],
        });
        return row?.value instanceof Uint8Array ? row.value : undefined;
      },
      set: async (key, value) => {
        const [row] = await this.#db.all({
          sql: "SELECT coalesce(sum(length(value) + length(key)), 0) AS size FROM plugin WHERE entry = ? AND key <> ?",
          values: [entry, key],
        });
        if (Number(row?.size) + key.length + value.length > MAX_PLUGIN_BYTES) {
          throw new Error(`Cannot keep "${key}" of "${entry}": there may be ${MAX_PLUGIN_BYTES} bytes in all`);
        }
        await this.#db.run([{
          sql: "INSERT OR REPLACE INTO plugin (entry, key, value) VALUES (?, ?, ?)",
          values: [entry, key, value],
        }]);
      },
    };
  }

  /** The pieces of one swarm. */
  pieces(key: string): PieceRecords {
    return { load: (pieceCount) => this.#loadPieces(key, pieceCount), commit: (change) => this.#commit(key, change) };
  }

  async #loadPieces(key: string, pieceCount: number): Promise<{ bits?: Uint8Array; stamps: FileStamp[] }> {
    const pages = await this.#db.all({ sql: "SELECT page, bits FROM page WHERE key = ?", values: [key] });
    const rows = await this.#db.all({ sql: "SELECT * FROM file WHERE key = ?", values: [key] });
    const stamps = rows.map(readStamp).filter((stamp) => stamp !== undefined);
    if (stamps.length < rows.length) this.#log(`Cannot read some saved files of swarm "${key}", they count as changed`);
    if (pages.length === 0) return { stamps };
    const bits = new Uint8Array(Math.ceil(pieceCount / 8));
    let unreadable = 0;
    for (const { page, bits: part } of pages) {
      const at = Number(page) * PAGE_BYTES;
      const fits = at >= 0 && at < bits.length && part instanceof Uint8Array &&
        part.length === Math.min(PAGE_BYTES, bits.length - at);
      if (fits) bits.set(part, at);
      else unreadable++;
    }
    if (unreadable > 0) this.#log(`Cannot read ${unreadable} pages of saved pieces of swarm "${key}", they are empty`);
    const spare = -pieceCount & 7;
    if (spare > 0) bits[bits.length - 1] &= 0xff << spare;
    return { bits, stamps };
  }

  async #commit(key: string, { pages, stamps }: Parameters<PieceRecords["commit"]>[0]): Promise<void> {
    const statements: Statement[] = [
      ...pages.map(({ page, bits }) => ({
        sql: "INSERT OR REPLACE INTO page (key, page, bits) VALUES (?, ?, ?)",
        values: [key, page, bits],
      })),
      ...stamps.map(({ file, home, size, modified, writing }) => ({
        sql: "INSERT OR REPLACE INTO file (key, file, home, size, modified, writing) VALUES (?, ?, ?, ?, ?, ?)",
        values: [key, file, home, size, modified, writing ? 1 : 0],
      })),
    ];
    if (statements.length > 0) await this.#db.run(statements);
  }
}

type Row = Readonly<Record<string, SqlValue>>;

/**
 * One swarm, and what to say of fields that could not be read. A flaw costs the field alone; where that changes what is done with
 * the user's files, the swarm is paused until the user has looked. Throws TypeError without key, source and path.
 */
function readSwarm(row: Row): { record: SwarmRecord; flaw?: string } {
  const { magnet, ...saved } = Object(JSON.parse(String(row.options))) as SavedOptions;
  const { key, source } = row;
  if (typeof key !== "string" || !(source instanceof Uint8Array)) throw new TypeError("its key or source is missing");
  const { path } = saved;
  if (typeof path !== "string") throw new TypeError("its path is missing");
  const flaws: string[] = [];
  const read = <T>(name: string, value: unknown, fits: (value: unknown) => boolean, otherwise: T): T => {
    if (fits(value)) return value as T;
    flaws.push(name);
    return otherwise;
  };
  const readTexts = (name: string, value: unknown): string[] => {
    const texts = read<unknown[]>(name, value, Array.isArray, []).filter((item) => typeof item === "string");
    if (Array.isArray(value) && texts.length < value.length) flaws.push(name);
    return texts;
  };
  // What decides about the user's files and bandwidth.
  const options = {
    paused: read("paused", saved.paused, isFlag, true),
    select: read("select", saved.select, isOptional(isArrayOfNumbers), undefined),
    priorities: read("priorities", saved.priorities, isOptional(isRecordOf(isPriority)), undefined),
    limits: read("limits", saved.limits, isOptional(isRecordOf(isAmount)), undefined),
    readOnly: read("readOnly", saved.readOnly, isOptional(isFlag), true),
    followLinks: read("followLinks", saved.followLinks, isOptional(isFlag), undefined),
    setting: read("setting", saved.setting, isOptional(isSetting), undefined),
  };
  const unsafe = flaws.length > 0;
  const completed = read("completed", row.completed, (value) => value === null || isAmount(value), null);
  const record = withoutUndefined({
    ...options,
    path,
    paused: options.paused || unsafe,
    origin: read("origin", saved.origin, (value) => value === "profile" || value === "user", "user" as const),
    added: read("added", saved.added, isAmount, 0),
    sequential: read("sequential", saved.sequential, isFlag, false),
    allowLocal: read("allowLocal", saved.allowLocal, isFlag, false),
    peers: readTexts("peers", saved.peers),
    trackers: readTexts("trackers", saved.trackers),
    key,
    source: magnet ? new TextDecoder().decode(source) : source,
    uploaded: read("uploaded", row.uploaded, isAmount, 0),
    downloaded: read("downloaded", row.downloaded, isAmount, 0),
    wasted: read("wasted", row.wasted, isAmount, 0),
    seedTime: read("seed_time", row.seed_time, isAmount, 0),
    completed: completed ?? undefined,
  });
  if (flaws.length === 0) return { record };
  const flaw = `Cannot read ${flaws.join(", ")} of the saved swarm "${key}"`;
  return { record, flaw: unsafe ? `${flaw}: it is paused, look at it before you resume it` : flaw };
}

type SavedOptions = Partial<Record<keyof SwarmOptions | "magnet", unknown>>;

function isFlag(value: unknown): boolean {
  return typeof value === "boolean";
}

function isOptional(test: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === undefined || test(value);
}

function isSetting(value: unknown): boolean {
  return typeof Object(value).add === "string";
}

function isArrayOfNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}

function isRecordOf(test: (item: unknown) => boolean): (value: unknown) => boolean {
  return (value) => typeof value === "object" && value !== null && Object.values(value).every(test);
}

function isPriority(value: unknown): boolean {
  return Number.isInteger(value) && isAmount(value) && value as number <= 7;
}

function isAmount(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value < Infinity;
}

function readStamp(row: Row): FileStamp | undefined {
  const { file, home, size, modified, writing } = row;
  if (typeof file !== "number" || typeof size !== "number" || typeof modified !== "number") return undefined;
  if (home !== "file" && home !== "part") return undefined;
  return { file, home, size, modified, writing: writing !== 0 };
}
