import type { Isolate, IsolateOptions } from "../../../api/mod.ts";
import { encodeFrame, readFrames } from "./frames.ts";

/** The argument that makes Weft's program the child of another Weft. */
export const GUEST_ARGUMENT = "__guest";

/** What the child is told first: how to start its worker, and how much memory it may use (bytes). */
export interface ProcessStart extends Pick<IsolateOptions, "permissions" | "code" | "memory"> {}

/** What the child says: that its worker is up, a message from that, or why it ends. */
export type ProcessFrame = { readonly up: true } | { readonly message: unknown } | { readonly end: string };

// How long a process may take to come up, on a machine that is busy (ms).
const START_TIMEOUT = 30_000;
// Bytes that wait for a child that doesn't read: it is stuck, and the watchdog is about to end it.
const MAX_UNSENT = 32 * 1024 * 1024;

const root = new URL("../../../../", import.meta.url);

/**
 * Starts a child process that starts the worker of {@link startWorker} in turn: the worker's permissions bound what the
 * plugin may do, the process bounds its memory and can be killed whatever it does.
 *
 * @throws {Error} when it can't be started, with what to do
 */
export async function startProcess(options: IsolateOptions): Promise<Isolate> {
  const { permissions, code, memory, onMessage, onEnd } = options;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(Deno.execPath(), {
      args: Deno.build.standalone ? [GUEST_ARGUMENT] : runArguments(options),
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    const program = Deno.execPath();
    throw new Error(
      `Cannot start a process: Weft may not run its own program; run it with --allow-run=${program}, ` +
        `or write "isolate: worker" for code whose author you trust`,
      { cause },
    );
  }
  const writer = child.stdin.getWriter();
  let over = false;
  let unsent = 0;
  const up = Promise.withResolvers<void>();
  const kill = (): void => {
    if (over) return;
    over = true;
    try {
      child.kill("SIGKILL");
    } catch {
      // It ended by itself.
    }
    writer.abort().catch(() => {});
  };
  const fail = (reason: Error): void => {
    if (over) return;
    kill();
    up.reject(reason);
    onEnd(reason);
  };
  const send = (message: unknown): void => {
    if (over) return;
    const frame = encodeFrame(message);
    unsent += frame.length;
    if (unsent > MAX_UNSENT) return fail(new Error("it does not read what it is sent"));
    writer.write(frame).then(() => unsent -= frame.length, () => {});
  };
  const take = (frame: unknown): void => {
    if (typeof frame !== "object" || frame === null) throw new Error("a frame must be a mapping");
    if ("message" in frame) onMessage(frame.message);
    else if ("up" in frame) up.resolve();
    else fail(new Error("end" in frame ? String(frame.end).slice(0, 1_000) : "a frame must say something"));
  };
  const read = async (): Promise<void> => {
    try {
      for await (const frame of readFrames(child.stdout)) {
        if (over) break;
        take(frame);
      }
      const { code, signal } = await child.status;
      fail(new Error(`its process ended with ${signal ?? `code ${code}`}`));
    } catch (error) {
      fail(new Error(`it sent what can't be read: ${(error as Error).message}`));
    }
  };
  void read();
  send({ permissions, code, memory } satisfies ProcessStart);
  const timer = setTimeout(() => up.reject(new Error("Cannot start a process: it does not come up")), START_TIMEOUT);
  try {
    await up.promise;
  } catch (error) {
    kill();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return { post: send, kill, gone: () => Promise.resolve(true) };
}

/** The command line of a child under `deno run`, with no permission that the plugin's entry doesn't grant. */
function runArguments({ permissions: { net = [], read = [], write = [], env = [] }, code }: IsolateOptions): string[] {
  const flag = (name: string, list: readonly string[] | true): string[] =>
    list === true ? [`--allow-${name}`] : list.length > 0 ? [`--allow-${name}=${list.map(escaped).join(",")}`] : [];
  return [
    "run",
    "--no-prompt",
    // Nothing that it names is asked of a registry; what it needs Weft itself has loaded.
    ...(root.protocol === "file:" ? ["--cached-only"] : []),
    ...flag("net", net),
    // Its own modules too: a worker's first one is read.
    ...flag("read", [decodeURIComponent(root.pathname), ...code, ...read]),
    ...flag("write", write),
    ...flag("env", env),
    new URL("core/guest/process.ts", root).href,
  ];
}

/** A comma in a path would end it. */
function escaped(value: string): string {
  return value.replaceAll(",", ",,");
}
