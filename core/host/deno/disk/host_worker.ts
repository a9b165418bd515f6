import { DiskError } from "../../../api/mod.ts";
import type { WorkerReply, WorkerTask } from "./worker_protocol.ts";

interface Call {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One worker thread, asked by messages. Requests are done one after another, in order. */
export class HostWorker {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  readonly #calls = new Map<number, Call>();
  #nextId = 1;
  #dead: DiskError | undefined;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerReply>) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const fault = event.message.includes("Requires read access") ? "denied" : "io";
      this.#fail(new DiskError(fault, `The disk worker died: ${event.message}`));
    };
  }

  /** How many requests wait for an answer. */
  get pending(): number {
    return this.#calls.size;
  }

  /** Asks the worker. Rejects with DiskError when the disk refused, with Error on a mistake in the request. */
  call<T>(task: WorkerTask): Promise<T> {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage({ id, task });
    });
  }

  /** Lets it finish, closes its databases, and ends the thread. */
  async close(): Promise<void> {
    if (this.#dead) return;
    await this.call({ do: "closeAll" }).catch(() => {});
    this.#fail(new DiskError("io", "The disk worker is stopped"));
  }

  #settle(reply: WorkerReply): void {
    const call = this.#calls.get(reply.id);
    this.#calls.delete(reply.id);
    if (!("error" in reply)) return call?.resolve(reply.value);
    const { message, fault } = reply.error;
    call?.reject(fault ? new DiskError(fault, message) : new Error(message));
  }

  #fail(error: DiskError): void {
    this.#dead = error;
    this.#worker.terminate();
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}
