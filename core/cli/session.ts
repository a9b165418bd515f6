/** A runtime for as long as a command runs: started, watched, offered on its control socket, stopped. @module */
import {
  CommandError,
  ConfigError,
  NetError,
  type Runtime,
  type Settings,
  type SwarmSnapshot,
  type Timer,
} from "../api/mod.ts";
import { parentOf } from "../config/mod.ts";
import { claimControl, controlPath, serveControl } from "../control/mod.ts";
import type { StartOptions } from "../runtime/mod.ts";
import { type Context, exitCodes, type StartRuntime } from "./environment.ts";
import { followProfile } from "./follow_profile.ts";
import { headline } from "./text/progress.ts";
import { createReporter, type Reporter, type ReportOptions } from "./reporter.ts";

/** Signals that end a command. */
const ENDING = ["SIGINT", "SIGTERM"] as const;

/** What a command gets to work with. */
export interface Session {
  readonly runtime: Runtime;
  readonly reporter: Reporter;
  /**
   * Reports what happens until `done` answers, and returns its answer; undefined when the user interrupts, or another
   * process says `stop`. `done` is asked after every event of a swarm's state, and now and then.
   */
  follow<T>(done: () => T | undefined): Promise<T | undefined>;
  /** Asks the user; undefined where nobody sits at a terminal, or the user interrupts. */
  ask(question: string): Promise<string | undefined>;
}

/** How a session reports, and whether it follows a profile. */
export interface SessionOptions extends ReportOptions {
  /** The profile that runs, as the user named it: SIGHUP and the control socket read it again. */
  readonly profile?: string;
  /** The swarm that the command is about, by id: left by an earlier run, it begins as the command wishes it. */
  readonly about?: string;
  /** Also reload when the profile, or a file of one of its plugins, changes. */
  readonly watch?: boolean;
}

/**
 * Runs `body` with a started runtime; its answer is the command's exit code. Ctrl-C (SIGINT) and SIGTERM interrupt, and
 * so does SIGHUP where no profile is followed; a second one ends the command at once. The runtime is stopped in any
 * case.
 *
 * @throws {CommandError} when another Weft runs with the same state
 */
export async function runSession(
  context: Context,
  settings: Settings,
  options: SessionOptions,
  body: (session: Session) => Promise<number>,
): Promise<void> {
  const { host, start, builtins, version, temporary } = context;
  const { state } = settings.store;
  const socket = await controlPath(host.disk, state, temporary);
  try {
    // It holds passkeys.
    await host.disk.makeDirectory(parentOf(state), { private: true });
  } catch (error) {
    throw new CommandError(`${messageOf(error)}; state can be kept elsewhere: --state, or "store.state" in a profile`);
  }
  await claimControl(host, socket, state);

  const reporter = createReporter(context, options);
  const interruption = new AbortController();
  const { profile } = options;
  using signals = interruptOnSignals(
    context,
    reporter,
    interruption,
    profile === undefined ? [...ENDING, "SIGHUP"] : ENDING,
  );
  // Until the runtime is up there is nothing to reload: it is then, since the profile may have changed after it was read.
  let hungUp = false;
  let hangUp = (): void => void (hungUp = true);
  if (profile !== undefined) signals.use(context.terminal.onSignal("SIGHUP", () => hangUp()));
  let code: number = exitCodes.failed;
  try {
    const runtime = await startOrExplain(start, {
      host,
      settings,
      builtins,
      version,
      hold: options.about,
      log: (line) => reporter.log(line),
    }, profile);
    reporter.begin();
    try {
      using following = profile === undefined
        ? undefined
        : followProfile(context, { ...options, profile, settings, runtime, reporter });
      if (following) hangUp = following.hangUp;
      if (hungUp) hangUp();
      const stop = (): void => interruption.abort();
      const server = await serveControl(host, socket, runtime, { stop, ...following?.commands });
      try {
        code = await body(newSession(context, runtime, reporter, interruption.signal));
      } finally {
        await server.close();
      }
    } finally {
      await runtime.stop().catch((error) => {
        // Told beside what went wrong before, and not instead of it.
        reporter.log({ level: "error", source: "weft", message: messageOf(error) });
        code = exitCodes.failed;
      });
    }
  } catch (error) {
    if (error instanceof ConfigError) code = exitCodes.usage;
    throw error;
  } finally {
    reporter.end(code);
  }
  context.exitCode = code;
}

/** True once the swarm reached its seeding goal: what {@link Session.follow} waits for while it seeds. */
export function whenFinished({ state }: SwarmSnapshot): true | undefined {
  return state === "finished" ? true : undefined;
}

/**
 * The swarm, once it has all that is wanted: what {@link Session.follow} waits for.
 *
 * @throws {CommandError} when the swarm failed
 */
export function whenComplete<S extends SwarmSnapshot>(swarm: S): S | undefined {
  if (swarm.state === "failed") throw new CommandError(headline(swarm));
  return swarm.state === "seeding" || swarm.state === "finished" ? swarm : undefined;
}

async function startOrExplain(
  start: StartRuntime,
  options: StartOptions,
  profile: string | undefined,
): Promise<Runtime> {
  try {
    return await start(options);
  } catch (error) {
    if (!(error instanceof NetError && (error.fault === "inUse" || error.fault === "denied"))) throw error;
    const { file, line, column } = options.settings.places.listen;
    if (profile !== undefined) throw new ConfigError([`${file}:${line}:${column}: ${error.message}`]);
    throw new CommandError(`${error.message}; choose another address with --listen, or "listen" in a profile`);
  }
}

function newSession(
  { host: { clock }, terminal }: Context,
  runtime: Runtime,
  reporter: Reporter,
  interrupted: AbortSignal,
): Session {
  let reported = 0;
  return {
    runtime,
    reporter,
    async ask(question: string): Promise<string | undefined> {
      const interruption = Promise.withResolvers<undefined>();
      const interrupt = (): void => interruption.resolve(undefined);
      interrupted.addEventListener("abort", interrupt);
      try {
        return interrupted.aborted ? undefined : await Promise.race([terminal.ask(question), interruption.promise]);
      } finally {
        interrupted.removeEventListener("abort", interrupt);
      }
    },
    async follow<T>(done: () => T | undefined): Promise<T | undefined> {
      const settled = Promise.withResolvers<T | undefined>();
      // What makes `done` throw is told as that, and not as a state beside it.
      let refused = false;
      const look = (): void => {
        try {
          const answer = done();
          if (answer !== undefined) settled.resolve(answer);
        } catch (error) {
          refused = true;
          settled.reject(error);
        }
      };
      const milestone = (): void => {
        look();
        if (!refused) reporter.milestone(runtime.snapshot());
      };
      let timer: Timer;
      const tick = (): void => {
        look();
        if (!refused) reporter.progress(runtime.snapshot());
        timer = clock.after(reporter.period, tick);
      };
      const interrupt = (): void => settled.resolve(undefined);
      interrupted.addEventListener("abort", interrupt);
      if (interrupted.aborted) interrupt();
      using _events = runtime.subscribe((event) => {
        reported = event.sequence;
        reporter.event(event);
        // From a fresh stack: the runtime is in the middle of something.
        if (event.event.startsWith("swarm.")) Promise.resolve().then(milestone);
      }, reported);
      tick();
      try {
        return await settled.promise;
      } finally {
        timer!.cancel();
        interrupted.removeEventListener("abort", interrupt);
        if (!refused) reporter.progress(runtime.snapshot());
      }
    },
  };
}

function interruptOnSignals(
  { terminal, abandon }: Context,
  reporter: Reporter,
  interruption: AbortController,
  signals: readonly ("SIGINT" | "SIGTERM" | "SIGHUP")[],
): DisposableStack {
  const stack = new DisposableStack();
  for (const signal of signals) {
    stack.use(terminal.onSignal(signal, () => {
      if (interruption.signal.aborted) return abandon();
      interruption.abort();
      reporter.note("stopping; once more to stop at once");
    }));
  }
  return stack;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
