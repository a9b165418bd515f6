/** Errors that callers tell apart. @module */

/** A connection that policy forbids. The message names the setting that would allow it. */
export class EgressError extends Error {
  override readonly name = "EgressError";
}

/** A mistake in what the user wrote: a profile, a flag, a torrent. One line for each problem, each with its place. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

/** A command that can't be carried out as asked, such as removing a swarm that isn't there. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** A plugin's handler that failed; `cause` is what it threw. */
export class PluginError extends Error {
  override readonly name = "PluginError";
  constructor(readonly plugin: string, readonly hook: string, message: string, options?: ErrorOptions) {
    super(`Plugin "${plugin}" failed in ${hook}: ${message}`, options);
  }
}
