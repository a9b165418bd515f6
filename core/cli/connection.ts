/** Finds the running Weft that a command means. @module */
import { CommandError } from "../api/mod.ts";
import { resolvePath } from "../config/mod.ts";
import { connectControl, controlAnswers, type ControlClient, controlPath } from "../control/mod.ts";
import type { Context } from "./environment.ts";
import { readStatePath } from "../profile/mod.ts";

/** How a command names a running Weft. */
export interface ConnectionOptions {
  readonly state?: string;
  readonly profile?: string;
}

/** Help of the two options. */
export const stateHelp = "state file of the running Weft (default: ./weft.db)";
/** Help of `--profile`. */
export const profileHelp = "profile that it runs, which names its state";

/**
 * A client of the running Weft.
 *
 * @throws {CommandError} when none runs with this state
 */
export async function connect(context: Context, options: ConnectionOptions): Promise<ControlClient> {
  const state = await stateOf(context, options);
  const client = await findWeft(context, state);
  if (client) return client;
  throw new CommandError(
    `No Weft runs with this state ("${state}"): start one with "weft run", or name its state with --state`,
  );
}

/** The state that the options name, absolute. */
export async function stateOf(context: Context, { state, profile }: ConnectionOptions): Promise<string> {
  return state === undefined && profile !== undefined
    ? await readStatePath(context, profile)
    : resolvePath(context.cwd, state ?? "weft.db");
}

/**
 * A client of the Weft that runs with this state; undefined when none does.
 *
 * @throws {CommandError} when it is another user's, or what is there is no Weft
 */
export async function findWeft({ host, temporary }: Context, state: string): Promise<ControlClient | undefined> {
  const path = await controlPath(host.disk, state, temporary);
  return await controlAnswers(host, path, state) === "weft" ? connectControl(host.net, path) : undefined;
}
