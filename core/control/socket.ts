/** Where a running Weft is reached: a Unix socket beside its state. @module */
import type { HostNet } from "../api/mod.ts";
import { sha1, toHex, utf8Encode } from "../wire/mod.ts";

/** A Unix socket's path must fit 108 bytes with its end (104 on macOS), or it can't be bound. */
const MAX_SOCKET_PATH = 100;

/**
 * The control socket's path for a state file: `STATE.sock`, or, where that is too long for a socket,
 * `weft-HASH.sock` in the temporary folder, named by the hash of the state's path.
 *
 * `state` is absolute: the same file must give the same socket, whoever asks.
 */
export function controlPath(state: string, temporary: string): string {
  const beside = `${state}.sock`;
  if (utf8Encode(beside).length <= MAX_SOCKET_PATH) return beside;
  return `${temporary}/weft-${toHex(sha1(utf8Encode(state))).slice(0, 16)}.sock`;
}

/** Whether a running Weft answers on the socket. Never throws: a socket that fails is one that nobody serves. */
export async function controlAnswers(net: HostNet, path: string): Promise<boolean> {
  try {
    const response = await net.http({ url: new URL("http://weft/version"), connectTo: { path } });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
