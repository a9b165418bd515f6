/** A running profile that is read again: on edits, on SIGHUP, and through the control socket. @module */
import type { Runtime, Settings } from "../api/mod.ts";
import { resolvePath } from "../config/mod.ts";
import type { ProcessCommands } from "../control/mod.ts";
import type { Context } from "./environment.ts";
import { readProfile, Reloader } from "../profile/mod.ts";
import type { Reporter } from "./reporter.ts";

/** What runs, and how it follows its profile. */
export interface FollowOptions {
  /** As the user named it. */
  readonly profile: string;
  /** Also reload when the profile, or a file of one of its plugins, changes. */
  readonly watch?: boolean;
  /** What runs at the start. */
  readonly settings: Settings;
  readonly runtime: Runtime;
  readonly reporter: Reporter;
}

/** A profile that is followed until disposed of. */
export interface FollowedProfile extends Disposable {
  readonly commands: Required<Pick<ProcessCommands, "reload" | "plan">>;
  /** What SIGHUP does: reloads, and tells how that ended. */
  hangUp(): void;
}

/** Follows a profile. */
export function followProfile(context: Context, options: FollowOptions): FollowedProfile {
  const { profile, watch = false, settings, runtime, reporter } = options;
  const { host: { clock, disk }, cwd } = context;
  const reloader = new Reloader({
    clock,
    disk,
    profile: resolvePath(cwd, profile),
    settings,
    watch,
    read: (seen) => readProfile(context, profile, seen),
    apply: (settings) => runtime.reload(settings),
    tell: (outcome) => reporter.reload(outcome),
    cannotWatch: (reason) =>
      reporter.log({
        level: "warn",
        source: "weft",
        message: `${reason}; edits are not noticed: reload with "weft reload", or SIGHUP`,
      }),
  });
  return {
    commands: {
      reload: () => reloader.reload(),
      plan: async (path = profile) => await runtime.plan(await readProfile(context, path)),
    },
    // A failure was told.
    hangUp: () => void reloader.reload().catch(() => {}),
    [Symbol.dispose]: () => reloader[Symbol.dispose](),
  };
}
