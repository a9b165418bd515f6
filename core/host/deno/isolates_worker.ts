import type { IsolatePermissions } from "../../api/host.ts";

/** How to reach code that was started apart. */
export interface StartedWorker {
  post(message: unknown): void;
  /** Ends it at once. Nothing is told any more. */
  end(): void;
}

/** What {@link startWorker} needs. */
export interface WorkerStart {
  readonly permissions: IsolatePermissions;
  /** Folders with code that it may load, absolute. */
  readonly code: readonly string[];
  readonly onMessage: (message: unknown) => void;
  readonly onEnd: (reason: Error) => void;
}

/** What the worker says first, and what it is told when it is done for. */
const UP = "up";
// How long a thread may take to come up, on a machine that is busy (ms).
const START_TIMEOUT = 20_000;

/**
 * Starts the sandbox's own module in a worker, which loads a plugin when it is told to. A plugin is never the worker's
 * first module: that one's imports are checked against our permissions, not against the worker's.
 *
 * @throws {Error} when it can't be started, with what to do
 */
export async function startWorker({ permissions, code, onMessage, onEnd }: WorkerStart): Promise<StartedWorker> {
  const { net = [], read = [], write = [], env = [] } = permissions;
  const some = (list: readonly string[] | true): string[] | boolean => list === true || list.length > 0 && [...list];
  const options = {
    type: "module",
    name: "sandbox",
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
    worker = new Worker(new URL("../../guest/worker.ts", import.meta.url), options as WorkerOptions);
  } catch (cause) {
    throw new Error(`Cannot start a worker with these permissions: ${(cause as Error).message}`, { cause });
  }
  const up = Promise.withResolvers<void>();
  const timer = setTimeout(() => up.reject(new Error("Cannot start a worker: it does not come up")), START_TIMEOUT);
  let over = false;
  const end = (): void => {
    over = true;
    worker.terminate();
  };
  worker.onmessage = ({ data }) => {
    if (data === UP) worker.onmessage = ({ data }) => over || onMessage(data);
    up.resolve();
  };
  worker.onmessageerror = () => {
    if (over) return;
    end();
    onEnd(new Error("it sent what can't be read"));
  };
  worker.onerror = (event) => {
    event.preventDefault(); // else it would end this process
    if (over) return;
    end();
    const reason = new Error(`it failed with nobody to catch it: ${event.message.split("\n")[0]}`);
    up.reject(reason);
    onEnd(reason);
  };
  try {
    await up.promise;
  } catch (error) {
    end();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return { post: (message) => over || worker.postMessage(message), end };
}
