import { run, type Site, until, untilListening } from "../netns.ts";

/** The longest tail of a client's output that is kept, in characters: a chatty client must not fill memory. */
const logTail = 256 * 1024;
/** How much of that an error shows, in characters. */
const shownTail = 4000;
/** How long a client may take to end by itself after SIGTERM, in milliseconds; then it is killed. */
const stopGrace = 10_000;
/** How long a client may take until its port is open, in milliseconds; a large check of data comes before it. */
const readyTimeout = 60_000;

/** What both roles need. */
export interface ClientRequest {
  /** Path of a .torrent file; a leecher that is asked so may get a magnet link instead. */
  readonly torrent: string;
  readonly site: Site;
  /** TCP port that the client listens on. */
  readonly port: number;
  /** An empty folder for the client's own settings and state. */
  readonly scratch: string;
}

/** Asks for a seeder of data that is all there. */
export interface SeedRequest extends ClientRequest {
  /** The folder that holds what the torrent names. */
  readonly data: string;
  /** The data needs no check before it is served, where the client has such a mode. */
  readonly trusted?: boolean;
  /** Upload limit in bytes per second, where the client has one. */
  readonly uploadLimit?: number;
}

/** Asks for a download. */
export interface LeechRequest extends ClientRequest {
  /** The folder that will hold what the torrent names. */
  readonly out: string;
  /** Download limit in bytes per second, where the client has one. */
  readonly downloadLimit?: number;
  /** `IP:PORT` of a peer to use beside those of the torrent's trackers, where the client can. */
  readonly peer?: string;
}

/** A client that other people wrote (or Weft), steered from a test. */
export interface Client {
  readonly name: string;
  /** Whether it knows pad files (BEP 47); one that doesn't needs them on disk to seed. */
  readonly knowsPadFiles: boolean;
  /** Whether a download of it holds the torrent's empty files too. */
  readonly writesEmptyFiles: boolean;
  /** Whether `LeechRequest.peer` works; other clients take peers from a tracker only. */
  readonly takesPeers: boolean;
  /** Says what is missing to run it here, or `undefined`. */
  available(): Promise<string | undefined>;
  seed(request: SeedRequest): Promise<RunningClient>;
  leech(request: LeechRequest): Promise<RunningClient>;
}

/** A running client. Disposing stops it. */
export interface RunningClient extends AsyncDisposable {
  readonly pid: number;
  /** Its port is open. Rejects when it ended before. */
  readonly ready: Promise<void>;
  /** A leecher: everything is there and verified, and the process has ended; rejects when it ended otherwise. A seeder: it has ended. */
  readonly done: Promise<void>;
  /** The last part of what it printed, output and errors together. */
  log(): string;
  /** Ends it: SIGTERM, then SIGKILL when that is not enough, or `signal` at once. A second call only waits. */
  stop(signal?: Deno.Signal): Promise<void>;
}

/** How a client is started. */
export interface Launch {
  readonly site: Site;
  readonly port: number;
  readonly argv: readonly string[];
  readonly role: "seed" | "leech";
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Where a leecher doesn't end by itself: true once it is complete; then it is stopped. */
  readonly complete?: () => Promise<boolean>;
}

/** Starts a client's process at a site and follows it. */
export function launch({ site, port, argv, role, cwd, env, complete }: Launch): RunningClient {
  const [command, ...args] = site.command(argv);
  const child = new Deno.Command(command, { args, cwd, env, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  let log = "";
  let ended = false;
  let completed = false;
  let stopping: Promise<void> | undefined;

  const follow = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const text = new TextDecoder();
    for await (const bytes of stream) log = (log + text.decode(bytes, { stream: true })).slice(-logTail);
  };
  const exited = (async () => {
    const [status] = await Promise.all([child.status, follow(child.stdout), follow(child.stderr)]);
    ended = true;
    return status;
  })();

  const kill = (signal: Deno.Signal): void => {
    if (!ended) {
      try {
        child.kill(signal);
      } catch {
        // It ended by itself in the meantime.
      }
    }
  };
  const end = async (signal: Deno.Signal): Promise<void> => {
    kill(signal);
    const lastResort = setTimeout(() => kill("SIGKILL"), stopGrace);
    await exited;
    clearTimeout(lastResort);
    await Promise.allSettled([ready, watched]);
  };
  const stop = (signal: Deno.Signal = "SIGTERM"): Promise<void> => stopping ??= end(signal);

  const start = performance.now();
  const ready = untilListening(child.pid, port, () => ended || performance.now() - start > readyTimeout)
    .catch(() => {
      throw new Error(`"${argv[0]}" does not listen on port ${port}:\n${log.slice(-shownTail)}`);
    });
  const watched = (async () => {
    if (!complete) return;
    await until(complete, () => ended);
    completed = true;
    kill("SIGTERM");
  })();
  watched.catch(() => {});
  const done = (async () => {
    const { code, signal } = await exited;
    await Promise.allSettled([ready, watched]);
    if (role === "seed" || completed || (code === 0 && !complete)) return;
    throw new Error(`"${argv[0]}" ended without completing (exit ${signal ?? code}):\n${log.slice(-shownTail)}`);
  })();
  ready.catch(() => {});
  done.catch(() => {});
  return { pid: child.pid, ready, done, log: () => log, stop, [Symbol.asyncDispose]: () => stop() };
}

/** Says that `command` (a program on PATH, or a path) can't be run, or `undefined`. */
export async function commandMissing(command: string, ...probe: string[]): Promise<string | undefined> {
  try {
    await run(command, ...probe);
    return undefined;
  } catch {
    return `${command} is not installed`;
  }
}

/** The path of a file beside the adapters. */
export function besideAdapters(name: string): string {
  return new URL(name, import.meta.url).pathname;
}
