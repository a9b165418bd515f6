/** What plugins meet in a simulated world besides peers: names and HTTP servers. @module */
import type { HttpHandler } from "../../core/api/mod.ts";
import type { MemoryHost, Simulation } from "../../core/host/memory/mod.ts";

// Where a server is expected unless a URL says otherwise. A memory host carries https without TLS.
const HTTP_PORTS = [80, 443];

/**
 * Answers HTTP for a host name, on a host of its own whose public address the name then resolves to.
 *
 * @param ports where it listens; 80 and 443 if not given, so that `http:` and `https:` URLs both reach it
 */
export async function serveHttp(
  simulation: Simulation,
  name: string,
  handler: HttpHandler,
  ports: readonly number[] = HTTP_PORTS,
): Promise<MemoryHost> {
  const host = simulation.host(name);
  simulation.network.names.set(name.toLowerCase(), host.ips);
  for (const port of ports) await simulation.complete(host.net.serve({ ip: "::", port }, handler));
  return host;
}
