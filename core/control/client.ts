/** The control client: a running Weft as seen from another process. @module */
import {
  type AddSwarm,
  CommandError,
  ConfigError,
  type HostNet,
  type ReloadPlan,
  type Runtime,
  type RuntimeEvent,
  type RuntimeSnapshot,
  type SwarmDetail,
} from "../api/mod.ts";
import { utf8Encode } from "../wire/mod.ts";
import { writeAdd, writeUpdate } from "./requests.ts";

/** The commands of {@link Runtime}, and what it shows, over the control socket. */
export interface ControlClient
  extends Pick<Runtime, "add" | "remove" | "update" | "recheck" | "addPeers" | "announce" | "stop"> {
  /**
   * The process reads its profile again and makes it what runs.
   *
   * @throws {ConfigError} with every mistake; what runs goes on
   */
  reload(): Promise<ReloadPlan>;
  /**
   * What a reload would change, with the profile at `profile` (absolute) or its own.
   *
   * @throws {ConfigError} with every mistake
   */
  plan(profile?: string): Promise<ReloadPlan>;
  snapshot(): Promise<RuntimeSnapshot>;
  swarm(id: string): Promise<SwarmDetail>;
  /** Every event after `since` (from now if not given), until `signal` aborts or the process ends. */
  events(signal: AbortSignal, since?: number): AsyncGenerator<RuntimeEvent>;
}

/** A client for the socket at `path`. Calls reject with {@link CommandError} when the command fails or nobody answers. */
export function connectControl(net: HostNet, path: string): ControlClient {
  const request = async (target: string, body?: unknown, signal?: AbortSignal): Promise<Response> => {
    let response: Response;
    try {
      response = await net.http({
        url: new URL(target, "http://weft/"),
        connectTo: { path },
        ...(signal && { signal }),
        ...(body !== undefined && {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: utf8Encode(JSON.stringify(body)),
        }),
      });
    } catch (cause) {
      throw new CommandError(`No Weft answers at "${path}"`, { cause });
    }
    if (response.ok) return response;
    const { error, problems } = await response.json().catch(() => ({})) as { error?: string; problems?: string[] };
    if (problems) throw new ConfigError(problems);
    throw new CommandError(error ?? `The running Weft answered with status ${response.status}`);
  };
  const get = async <T>(target: string): Promise<T> => await (await request(target)).json() as T;
  const post = async <T>(target: string, body: unknown): Promise<T> => await (await request(target, body)).json() as T;
  const tell = async (target: string, body: unknown): Promise<void> => {
    await post(target, body);
  };

  return {
    add: (swarm: AddSwarm) => post("/add", writeAdd(swarm)),
    remove: (id, options = {}) => tell("/remove", { id, deleteData: options.deleteData ?? false }),
    update: (id, change) => post("/update", writeUpdate(id, change)),
    recheck: (id) => tell("/recheck", { id }),
    addPeers: (id, peers) => tell("/peers", { id, peers }),
    announce: (id) => tell("/announce", { id }),
    stop: () => tell("/stop", {}),
    reload: () => post("/reload", {}),
    plan: (profile) => post("/plan", { ...(profile !== undefined && { profile }) }),
    snapshot: () => get("/snapshot"),
    swarm: (id) => get(`/swarms/${encodeURIComponent(id)}`),
    async *events(signal, since) {
      const response = await request(since === undefined ? "/events" : `/events?since=${since}`, undefined, signal);
      let rest = "";
      const lines = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      try {
        while (true) {
          // A process that ends, however it does, ends its events.
          const { value = "", done } = await lines.read().catch(() => ({ value: undefined, done: true }));
          if (done) return;
          const parts = (rest + value).split("\n");
          rest = parts.pop()!;
          for (const line of parts) yield JSON.parse(line) as RuntimeEvent;
        }
      } finally {
        await lines.cancel().catch(() => {});
      }
    },
  };
}
