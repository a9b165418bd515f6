/** The control client: a running Weft as seen from another process. @module */
import {
  type AddSwarm,
  CommandError,
  ConfigError,
  errorText,
  type HostNet,
  type ReloadPlan,
  type Runtime,
  type RuntimeEvent,
  type RuntimeSnapshot,
  type SwarmDetail,
} from "../api/mod.ts";
import { utf8Encode } from "../wire/mod.ts";
import { answers } from "./answers.ts";
import type { Check } from "./checks.ts";
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

// The snapshot of ten thousand swarms, each with its trackers, is a tenth of it; guards against an answer without end.
const MAX_ANSWER = 256 * 1024 * 1024;

/**
 * A client for the socket at `path`. Calls reject with {@link CommandError} when the command fails, nobody answers, or
 * the answer can't be understood.
 */
export function connectControl(net: HostNet, path: string): ControlClient {
  const misread = (why: unknown): CommandError =>
    new CommandError(`Cannot understand what answers at "${path}": ${errorText(why)}; is it the same version of Weft?`);
  const parse = <T>(json: string, check: Check): T => {
    try {
      const value = JSON.parse(json);
      check(value, "");
      return value as T;
    } catch (error) {
      throw misread(error);
    }
  };
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
    const { error, problems } = parse<{ error: string; problems?: string[] }>(await read(response), answers.failure);
    if (problems) throw new ConfigError(problems);
    throw new CommandError(error);
  };
  const read = async (response: Response): Promise<string> => {
    try {
      return await textOf(response);
    } catch (error) {
      throw misread(error);
    }
  };
  const get = async <T>(check: Check, target: string): Promise<T> => parse(await read(await request(target)), check);
  const post = async <T>(check: Check, target: string, body: unknown): Promise<T> =>
    parse(await read(await request(target, body)), check);
  const tell = (target: string, body: unknown): Promise<void> => post(answers.nothing, target, body);

  return {
    add: (swarm: AddSwarm) => post(answers.swarm, "/add", writeAdd(swarm)),
    remove: (id, options = {}) => tell("/remove", { id, deleteData: options.deleteData ?? false }),
    update: (id, change) => post(answers.swarm, "/update", writeUpdate(id, change)),
    recheck: (id) => tell("/recheck", { id }),
    addPeers: (id, peers) => tell("/peers", { id, peers }),
    announce: (id) => tell("/announce", { id }),
    stop: () => tell("/stop", {}),
    reload: () => post(answers.plan, "/reload", {}),
    plan: (profile) => post(answers.plan, "/plan", { ...(profile !== undefined && { profile }) }),
    snapshot: () => get(answers.snapshot, "/snapshot"),
    swarm: (id) => get(answers.detail, `/swarms/${encodeURIComponent(id)}`),
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
          if (rest.length > MAX_ANSWER) throw misread("an event has no end");
          for (const line of parts) yield parse<RuntimeEvent>(line, answers.event);
        }
      } finally {
        await lines.cancel().catch(() => {});
      }
    },
  };
}

/** The body as text, as long as it is no longer than any answer. */
async function textOf(response: Response): Promise<string> {
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (text.length > MAX_ANSWER) throw new Error("it has no end");
  }
  return text;
}
