import { chmod, unlink } from "node:fs/promises";
import type { BindAddress, HttpHandler, HttpServer } from "../../../api/mod.ts";
import type { PeerAddress } from "../../../wire/mod.ts";
import { netError } from "./error.ts";
import { canonical } from "./stream.ts";

// How long close() lets exchanges finish: enough for the answer that is on its way, not for an event stream.
const CLOSE_GRACE = 500;

/** Serves HTTP through Deno.serve, on an address or a Unix socket. Throws NetError when it is taken. */
export async function serve(at: BindAddress | { readonly path: string }, handler: HttpHandler): Promise<HttpServer> {
  if (!("path" in at)) {
    const server = start({ hostname: at.ip, port: at.port }, handler, `listen on "${at.ip}" port ${at.port}`);
    return { address: canonical(server.addr as Deno.NetAddr), close: () => stop(server) };
  }
  const { path } = at;
  await removeStale(path);
  const server = start({ path }, handler, `listen on "${path}"`);
  // Whoever may write to the socket controls the process.
  await chmod(path, 0o600);
  return {
    close: async () => {
      await stop(server);
      await unlink(path).catch(() => {});
    },
  };
}

interface RunningServer {
  readonly server: Deno.HttpServer;
  readonly abort: AbortController;
}

function start(
  at: { hostname: string; port: number } | { path: string },
  handler: HttpHandler,
  action: string,
): RunningServer & { readonly addr: Deno.Addr } {
  const abort = new AbortController();
  const options = {
    ...at,
    signal: abort.signal,
    onListen: () => {},
    onError: () => new Response("Internal Server Error", { status: 500 }),
  };
  try {
    const from = new Clients();
    const server = Deno.serve(
      options as Deno.ServeTcpOptions,
      (request, { remoteAddr }) => handler(request, from.address(remoteAddr)),
    );
    return { server, abort, addr: server.addr };
  } catch (error) {
    throw netError(error, action);
  }
}

/** Who asks: requests come in runs from one client, whose address is parsed once for a run. */
class Clients {
  #latest: { readonly hostname: string; readonly address: PeerAddress } | undefined;

  address(remote: Deno.Addr): PeerAddress | undefined {
    if (!("hostname" in remote)) return undefined;
    const { hostname, port } = remote;
    const latest = this.#latest;
    if (latest?.hostname === hostname && latest.address.port === port) return latest.address;
    const address = canonical({ hostname, port });
    this.#latest = { hostname, address };
    return address;
  }
}

async function stop({ server, abort }: RunningServer): Promise<void> {
  const timer = setTimeout(() => abort.abort(), CLOSE_GRACE);
  await Promise.race([server.shutdown(), server.finished]);
  clearTimeout(timer);
}

/** A killed process leaves its socket behind: nobody answers there, so it may go. */
async function removeStale(path: string): Promise<void> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (netError(error, "probe").fault === "refused") await unlink(path).catch(() => {});
  }
}
