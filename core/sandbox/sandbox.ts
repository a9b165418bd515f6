import { errorText, type Host, type Plugin, type PluginRequest } from "../api/mod.ts";
import { withDeadline } from "../net/mod.ts";
import { replayed } from "./description.ts";
import { Keeper } from "./keeper.ts";
import { Link, type LinkOptions } from "./link.ts";
import { copyPlain } from "./plain.ts";
import { type Description, MESSAGE_LIMITS } from "./protocol.ts";

// How long a module may take to load and to say what it is (ms).
const DESCRIBE_TIMEOUT = 20_000;

/** What {@link sandboxPlugin} needs. */
export interface SandboxOptions {
  /** The module, as a `file:` URL. */
  readonly url: string;
  readonly request: PluginRequest;
  /** The files of its code, absolute. Only those in the module's own folder may be read; others must be granted. */
  readonly files: readonly string[];
  readonly host: Pick<Host, "isolates" | "clock">;
  /** Changes with the code. */
  readonly version: string;
}

/**
 * Starts a plugin's module in a sandbox, asks what it is, and has it check the entry's `with`; the result is a plugin whose
 * setup runs that module there. Nothing of it is loaded here, ever.
 *
 * @throws {Error} when it can't be started or is no plugin, with what to do
 */
export async function sandboxPlugin({ url, request, host, version }: SandboxOptions): Promise<Plugin> {
  const { isolates, clock } = host;
  const { isolate: kind, permissions, memory, baseDir } = request;
  if (!isolates) throw new Error('nothing can be isolated here; remove "isolate" from the entry');
  if (kind === "none") throw new Error('Cannot isolate a plugin: its entry says "isolate: none"');
  const config = copyPlain(request.config, MESSAGE_LIMITS);
  // A new version is another URL, so that no cache on the way gives the code that was.
  const code = { url: `${url}?weft=${encodeURIComponent(version)}`, request: { config, baseDir } };
  const common = { isolates, clock, kind, permissions, memory, code: [codeFolder(url)] };
  const { problems, expects, ...about } = await describe(common, code);
  if (about.wants?.includes("private") && !permissions.private) {
    throw new Error(
      'it wants to know of private swarms, which its entry does not grant; add "private: true" to its permissions',
    );
  }
  return {
    ...about,
    config: replayed(expects, config, problems),
    async setup(scope) {
      const keeper = new Keeper({ ...common, url: code.url, request: code.request, code: common.code }, scope);
      scope.defer(() => keeper.stop());
      await keeper.start();
    },
  };
}

async function describe(
  common: Omit<LinkOptions, "onNotice" | "onEnd">,
  { url, request: { config, baseDir } }: { url: string; request: { config: unknown; baseDir: string } },
): Promise<Description> {
  const answer = Promise.withResolvers<Description>();
  answer.promise.catch(() => {}); // it may fail while nobody waits yet
  const link = await Link.start({
    ...common,
    onNotice: (notice) => {
      if (notice.say === "described") answer.resolve(notice.description);
      else if (notice.say === "failed") answer.reject(new Error(notice.message));
    },
    onEnd: (reason) => answer.reject(reason),
  });
  try {
    link.post({ do: "describe", url, config, baseDir });
    return await withDeadline(common.clock, DESCRIBE_TIMEOUT, "it did not load", () => answer.promise);
  } catch (error) {
    throw new Error(`it does not load in its sandbox: ${errorText(error)}`);
  } finally {
    link.end(new Error("it was asked all"));
  }
}

/**
 * The folder that the module stands in. Not those of the files that it imports: a plugin could then have itself shown
 * any file, by importing it.
 */
function codeFolder(url: string): string {
  const path = decodeURIComponent(new URL(".", url).pathname).replace(/(?<=.)\/$/, "");
  return path.replace(/^\/(?=[A-Za-z]:)/, "");
}
