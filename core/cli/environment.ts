/** What the command line gets from outside, so that tests can run it in memory. @module */
import { ConfigError, type Host, type Runtime, type Terminal } from "../api/mod.ts";
import type { ProfileEnvironment } from "../profile/mod.ts";
import type { StartOptions } from "../runtime/mod.ts";

/** Weft's own code, for those who write plugins. */
export interface WeftSources {
  /** The folder that it stands in: a URL with a slash at its end, or undefined where no other program can read it. */
  readonly root?: string;
  /** What names mean in it, as in `deno.json`: paths from the folder, and npm packages. */
  readonly imports: Readonly<Record<string, string>>;
  /** A file's text. */
  read(path: string): Promise<string>;
  /** Files of it, by path. */
  list(): Promise<readonly string[]>;
}

/** Starts a runtime: `startRuntime` of core/runtime, or what a test puts in its place. */
export type StartRuntime = (options: StartOptions) => Promise<Runtime>;

/** The world of one command. */
export interface Environment extends ProfileEnvironment {
  readonly host: Host;
  readonly terminal: Terminal;
  readonly start: StartRuntime;
  /** Absent where nobody writes plugins. */
  readonly sources?: WeftSources;
  /** The folder for temporary files, absolute. */
  readonly temporary: string;
}

/** The environment, and what the command makes of it. */
export interface Context extends Environment {
  /** 0 done, 1 failed, 2 a mistake in what the user wrote, 130 interrupted. */
  exitCode: number;
  /** Show stack traces and debug messages. */
  debug: boolean;
  /** Ends the command at once, without waiting for anything. */
  abandon(): void;
}

/** Exit codes of the command line. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** A mistake in how a command was called: one line, without the command's name. */
export function usageError(message: string): ConfigError {
  return new ConfigError([message]);
}
