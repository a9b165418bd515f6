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

// Longer than any message of use; what a plugin throws goes to logs and screens.
const MAX_TEXT = 2_000;

/** What to say of something that was thrown. Plugins may throw anything, even what can't become text. */
export function errorText(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, MAX_TEXT);
  } catch {
    return "it threw what can't be shown";
  }
}

// Frames of a stack beyond these say nothing of where an error arose.
const MAX_STACK = 10_000;

/** Weft's own code: what it throws at a plugin's mistake is told with the plugin's line, not its own. */
const KERNEL = new URL("../", import.meta.url).href;

/**
 * What to say of something that a plugin's code threw: {@link errorText}, and where it arose if it looks like a slip
 * (a `TypeError`, a `ReferenceError`), since its message alone doesn't tell: `/a/roster.ts:12:7: x is not defined`.
 */
export function faultText(error: unknown): string {
  const text = errorText(error);
  try {
    if (!(error instanceof TypeError || error instanceof ReferenceError)) return text;
    const frames = String(error.stack).slice(0, MAX_STACK).matchAll(/\bfile:\/\/[^()\n]*?:\d+:\d+(?=\)?$)/gm);
    const at = frames.map(([frame]) => frame).find((frame) => !frame.startsWith(KERNEL));
    if (at === undefined) return text;
    const [, url, place] = /^(.*?)(:\d+:\d+)$/.exec(at)!;
    return `${decodeURIComponent(new URL(url).pathname)}${place}: ${text}`;
  } catch {
    return text;
  }
}
