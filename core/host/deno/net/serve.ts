import { chmod, link, mkdir, rm, unlink } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { type BindAddress, type HttpHandler, type HttpServer, NetError } from "../../../api/mod.ts";
import type { PeerAddress } from "../../../wire/mod.ts";
import type { HttpStream } from "../../http_connection.ts";
import { type HttpListener, ListeningServer } from "../../http_server.ts";
import { denoClock } from "../clock.ts";
import { freeDescriptors } from "../descriptors.ts";
import { netError } from "./error.ts";
import { Acceptor } from "./listener.ts";
import { canonical, ConnStream } from "./stream.ts";

// Connections of one server at once: more than honest clients need, who come and go.
const MAX_CONNECTIONS = 256;
// And of the descriptors that are left when it starts, no more than the reciprocal of this.
const DESCRIPTOR_SHARE = 4;
// Nobody but this user's own programs connects to a Unix socket.
const MAX_LOCAL_CONNECTIONS = 64;

/** Serves HTTP on an address or a Unix socket. Throws NetError when it is taken. */
export async function serve(at: BindAddress | { readonly path: string }, handler: HttpHandler): Promise<HttpServer> {
  if ("path" in at) return await serveLocally(at.path, handler);
  const { ip, port } = at;
  const free = freeDescriptors(DESCRIPTOR_SHARE * MAX_CONNECTIONS);
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: ip, port });
  } catch (error) {
    throw netError(error, `listen on "${ip}" port ${port}`);
  }
  const address = canonical(listener.addr);
  const acceptor = new Acceptor(listener, address.key, (conn: Deno.TcpConn) => new ServedStream(conn));
  return start(acceptor, handler, Math.max(1, Math.floor(free / DESCRIPTOR_SHARE)), address);
}

/** A connection to a server: less than a peer's, since most bring one short request and leave. */
class ServedStream extends ConnStream implements HttpStream {
  readonly remote: PeerAddress;

  constructor(conn: Deno.TcpConn) {
    super(conn);
    this.remote = canonical(conn.remoteAddr);
  }
}

async function serveLocally(path: string, handler: HttpHandler): Promise<HttpServer> {
  await removeStale(path);
  const server = start(await listenPrivately(path), handler, MAX_LOCAL_CONNECTIONS);
  return {
    close: async () => {
      await server.close();
      await unlink(path).catch(() => {});
    },
  };
}

function start(
  listener: HttpListener,
  handler: HttpHandler,
  maxConnections: number,
  address?: PeerAddress,
): HttpServer {
  return new ListeningServer({ listener, handler, clock: denoClock, maxConnections, address });
}

/**
 * Listens at `path` so that nobody else could ever connect: whoever may write to the socket controls the process, and
 * one is bound with the modes that the umask leaves. So it is made in a folder that is closed to others, and put in its
 * place once its own mode says so too. Putting it there fails where something stands already.
 */
async function listenPrivately(path: string): Promise<HttpListener> {
  const action = `listen on "${path}"`;
  // Short: a socket's path has about a hundred bytes.
  const folder = `${dirname(path)}/.${randomBytes(3).toString("hex")}`;
  try {
    await mkdir(folder, { mode: 0o700 });
    try {
      const inside = `${folder}/s`;
      const listener = Deno.listen({ transport: "unix", path: inside });
      try {
        await chmod(inside, 0o600);
        await link(inside, path);
      } catch (error) {
        listener.close();
        throw error;
      }
      return new Acceptor(listener, `"${path}"`, (conn: Deno.UnixConn) => new ConnStream(conn));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") throw new NetError("inUse", `Cannot ${action}: it is in use`);
    throw netError(error, action);
  }
}

/** A killed process leaves its socket behind: nobody answers there, so it may go. */
async function removeStale(path: string): Promise<void> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (netError(error, "probe").fault === "refused") await unlink(path).catch(() => {});
  }
}
