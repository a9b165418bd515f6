/**
 * The control server: a {@link Runtime} as a hono app, and that app on a Unix socket beside the state.
 *
 * `GET /version`, `/snapshot`, `/swarms/ID`, and `/events?since=N` (lines of JSON until the caller leaves);
 * `POST /add`, `/remove`, `/update`, `/recheck`, `/peers`, `/announce`, `/reload`, `/plan`, `/stop` with a JSON body.
 * A failure is `{ "error": "…" }` with a 4xx status (5xx when it is ours); mistakes in a profile come with 422, one by
 * one as `problems` beside it.
 *
 * @module
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { CommandError, ConfigError, type Host, type HttpServer, type ReloadPlan, type Runtime } from "../api/mod.ts";
import { ProtocolError } from "../wire/mod.ts";
import { EventStreams } from "./event_streams.ts";
import { readAdd, readCommand, readPlan, readReload, readUpdate } from "./requests.ts";
import { controlAnswers, makeSocketFolder } from "./socket.ts";

/** Most bytes of a request: a torrent of 64 MiB in base64 fits, and no caller fills memory. */
const MAX_BODY = 90 * 1024 * 1024;

/** The app, and the event streams that it has open: they never end by themselves. */
export interface ControlApp {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Ends every event stream. */
  close(): void;
}

/** What a caller may ask of the process around the runtime. */
export interface ProcessCommands {
  /** Ends the process. */
  stop(): void;
  /**
   * Reads the profile again and makes it what runs. Absent, as `plan`, where no profile runs.
   *
   * @throws {ConfigError} with every mistake
   */
  readonly reload?: () => Promise<ReloadPlan>;
  /**
   * What a reload would change if the profile at `profile` (absolute; the own one if not given) were read.
   *
   * @throws {ConfigError} with every mistake
   */
  readonly plan?: (profile?: string) => Promise<ReloadPlan>;
}

/** Builds the app. */
export function controlApp(runtime: Runtime, commands: ProcessCommands): ControlApp {
  const streams = new EventStreams(runtime);
  const app = new Hono();
  app.onError((error, c) => {
    if (error instanceof ConfigError) return c.json({ error: error.message, problems: error.problems }, 422);
    const status = error instanceof CommandError || error instanceof ProtocolError ? 400 : 500;
    return c.json({ error: error.message }, status);
  });
  app.notFound((c) => c.json({ error: `There is no ${c.req.method} ${c.req.path}` }, 404));
  app.use(bodyLimit({
    maxSize: MAX_BODY,
    onError: (c) => c.json({ error: `A request must be at most ${MAX_BODY} bytes` }, 413),
  }));

  app.get("/version", (c) => c.json({ version: runtime.snapshot().version }));
  app.get("/snapshot", (c) => c.json(runtime.snapshot()));
  app.get("/swarms/:id", (c) => c.json(runtime.swarm(c.req.param("id"))));
  app.get("/events", (c) => {
    const since = c.req.query("since");
    if (since !== undefined && !/^\d{1,15}$/.test(since)) throw new CommandError('"since" must be a whole number');
    return c.body(streams.open(since === undefined ? undefined : Number(since)), 200, {
      "content-type": "application/x-ndjson",
    });
  });

  const command = (path: string, run: (body: unknown) => Promise<unknown>): void => {
    app.post(path, async (c) => c.json(await run(parseBody(await c.req.text())) ?? {}));
  };
  command("/add", (body) => runtime.add(readAdd(body)));
  command("/remove", (body) => {
    const { id, deleteData } = readCommand(body);
    return runtime.remove(id, { deleteData });
  });
  command("/update", (body) => {
    const { id, change } = readUpdate(body);
    return runtime.update(id, change);
  });
  command("/recheck", (body) => runtime.recheck(readCommand(body).id));
  command("/peers", (body) => {
    const { id, peers } = readCommand(body);
    return runtime.addPeers(id, peers);
  });
  command("/announce", (body) => runtime.announce(readCommand(body).id));
  command("/reload", (body) => {
    readReload(body);
    return offered(commands.reload)();
  });
  command("/plan", (body) => {
    const { profile } = readPlan(body);
    return offered(commands.plan)(profile);
  });
  app.post("/stop", (c) => {
    commands.stop();
    return c.json({});
  });
  return { fetch: (request) => app.fetch(request), close: () => streams.close() };
}

/**
 * Makes sure that no other Weft runs with this state: the socket is the lock. A socket that nobody serves is what a
 * killed process of this user left behind; it is removed.
 *
 * @throws {CommandError} when another Weft answers, or something that is no socket, or not this user's, stands there
 */
export async function claimControl(host: Host, path: string, state: string): Promise<void> {
  await makeSocketFolder(host.disk, path, state);
  if (await controlAnswers(host, path, state) === "weft") {
    throw new CommandError(`Weft already runs with this state ("${state}"): use "weft add", or stop it`);
  }
  const stat = await host.disk.lstat(path);
  if (!stat) return;
  if (stat.kind !== "other") {
    throw new CommandError(`Cannot use "${path}" as the control socket: it is a ${stat.kind}; move it away`);
  }
  await host.disk.remove(path);
}

/** Serves the control app on the Unix socket at `path`, claimed with {@link claimControl} before. */
export async function serveControl(
  host: Host,
  path: string,
  runtime: Runtime,
  commands: ProcessCommands,
): Promise<HttpServer> {
  const app = controlApp(runtime, commands);
  const server = await host.net.serve({ path }, app.fetch);
  return {
    async close(): Promise<void> {
      app.close();
      await server.close();
      if (await host.disk.lstat(path)) await host.disk.remove(path);
    },
  };
}

function offered<T>(command: T | undefined): T {
  if (command === undefined) throw new CommandError("this Weft runs no profile");
  return command;
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError("Cannot read command: expected JSON");
  }
}
