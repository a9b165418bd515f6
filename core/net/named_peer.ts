/** Peers that the user names, as `host:port`. @module */
import { CommandError, type HostNet } from "../api/mod.ts";
import { parseHostPort, parseIp, type PeerAddress, peerAddress } from "../wire/mod.ts";

/**
 * The addresses behind `host:port`.
 *
 * @throws {CommandError} when the text is no such thing, or the name can't be resolved
 */
export async function resolveNamed(net: HostNet, text: string): Promise<PeerAddress[]> {
  const { host, port } = parse(text);
  if (parseIp(host)) return [peerAddress(host, port)];
  try {
    return (await net.resolve(host)).map((ip) => peerAddress(ip, port));
  } catch (error) {
    throw new CommandError(`Cannot resolve the peer "${text}": ${error instanceof Error ? error.message : error}`);
  }
}

function parse(text: string): { host: string; port: number } {
  try {
    return parseHostPort(text);
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error));
  }
}
