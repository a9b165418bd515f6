import type { Isolate, IsolateOptions, IsolatePermissions } from "../../../api/mod.ts";
import { Safepoint } from "./safepoint.ts";

/** What {@link startWorker} needs. */
export interface WorkerStart {
  /** A worker of this program, or the one that a sandbox's process is for. */
  readonly kind: IsolateOptions["kind"];
  readonly permissions: IsolatePermissions;
  /** Folders with code that it may load, absolute. */
  readonly code: readonly string[];
  readonly onMessage: (message: unknown) => void;
  readonly onEnd: (reason: Error) => void;
}

/** What the worker says first: the cell of its safepoint, if it has one. */
export interface WorkerUp {
  readonly up: Int32Array | undefined;
}

// How long a thread may take to come up, on a machine that is busy (ms).
const START_TIMEOUT = 20_000;

/**
 * Starts the sandbox's own module in a worker, which loads a plugin when it is told to. A plugin is never the worker's
 * first module: that one's imports are checked against our permissions, not against the worker's.
 *
 * @throws {Error} when it can't be started, with what to do
 */
export async function startWorker({ kind, permissions, code, onMessage, onEnd }: WorkerStart): Promise<Isolate> {
  const { net = [], read = [], write = [], env = [] } = permissions;
  const some = (list: readonly string[] | true): string[] | boolean => list === true || list.length > 0 && [...list];
  const options = {
    type: "module",
    name: kind,
    deno: {
      permissions: {
        net: some(net),
        read: some([...code, ...read]),
        write: some(write),
        env: some(env),
        run: false,
        ffi: false,
        sys: false,
        import: false,
      },
    },
  };
  let worker: Worker;
  try {
    worker = new Worker(new URL("../../../guest/worker.ts", import.meta.url), options as WorkerOptions);
  } catch (cause) {
    throw new Error(`Cannot start a worker with these permissions: ${(cause as Error).message}`, { cause });
  }
  const up = Promise.withResolvers<void>();
  const timer = setTimeout(() => up.reject(new Error("Cannot start a worker: it does not come up")), START_TIMEOUT);
  let over = false;
  let safepoint: Safepoint | undefined;
  const kill = (): void => {
    over = true;
    if (!safepoint) return worker.terminate();
    safepoint.request();
    // Not before: a thread that waits would end without a word.
    void safepoint.reached().then(() => worker.terminate());
  };
  worker.onmessage = ({ data: { up: cell } }: MessageEvent<WorkerUp>) => {
    safepoint = cell && new Safepoint(cell);
    worker.onmessage = ({ data }) => over || onMessage(data);
    up.resolve();
  };
  worker.onmessageerror = () => {
    if (over) return;
    kill();
    onEnd(new Error("it sent what can't be read"));
  };
  worker.onerror = (event) => {
    event.preventDefault(); // else it would end this process
    if (over) return;
    kill();
    const reason = new Error(`it failed with nobody to catch it: ${event.message.split("\n")[0]}`);
    up.reject(reason);
    onEnd(reason);
  };
  try {
    await up.promise;
  } catch (error) {
    kill();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return {
    post: (message) => over || worker.postMessage(message),
    kill,
    // Without a safepoint the runtime ends it, some seconds later.
    gone: async () => await safepoint?.reached() ?? true,
  };
}
