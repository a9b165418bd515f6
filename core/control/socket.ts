/** Where a running Weft is reached: a Unix socket beside its state, and who stands behind it. @module */
import { CommandError, type Disk, errorText, type Host, NetError } from "../api/mod.ts";
import { sha1, toHex, utf8Encode } from "../wire/mod.ts";

/** A Unix socket's path must fit 108 bytes with its end (104 on macOS), or it can't be bound. */
const MAX_SOCKET_PATH = 100;
// Folders that a system keeps for each user, and that are gone when the user is.
const RUNTIME_FOLDERS = "/run/user";
// A Weft answers within milliseconds; one that is stopped or hangs never does (ms).
const ANSWER_TIMEOUT = 5_000;
const ROOT = 0;

/**
 * The control socket's path for a state file: `STATE.sock`, or, where that is too long for a socket, `weft-HASH.sock` in
 * a folder that is this user's alone, named by the hash of the state's path. `state` is absolute: the same file must
 * give the same socket, whoever asks.
 *
 * @param temporary where everybody may make folders: that of a user is below it if the system has none
 * @throws {CommandError} when somebody else has taken that folder
 */
export async function controlPath(disk: Disk, state: string, temporary: string): Promise<string> {
  const beside = `${state}.sock`;
  if (utf8Encode(beside).length <= MAX_SOCKET_PATH) return beside;
  const user = await disk.user();
  const folder = user === undefined ? undefined : await privateFolder(disk, user, temporary);
  if (folder === undefined) {
    throw new CommandError(
      `Cannot place a control socket for "${state}": its path is too long; keep it at a shorter one`,
    );
  }
  return `${folder}/weft-${toHex(sha1(utf8Encode(state))).slice(0, 16)}.sock`;
}

/** Makes the folder that a socket goes into, unless it stands beside the state. */
export async function makeSocketFolder(disk: Disk, path: string, state: string): Promise<void> {
  if (path === `${state}.sock`) return;
  const folder = path.slice(0, path.lastIndexOf("/"));
  await disk.makeDirectory(folder, { private: true });
  await refuseOpenFolder(disk, folder, await disk.user());
}

/** What is found at a control socket's path. */
export type Found = "weft" | "nobody";

/**
 * Who is at the socket. A socket that nobody serves is what a killed process left behind.
 *
 * @throws {CommandError} when it belongs to another user, or what answers is no Weft, or nothing answers at all
 */
export async function controlAnswers(
  { clock, disk, net }: Pick<Host, "clock" | "disk" | "net">,
  path: string,
  state: string,
): Promise<Found> {
  await refuseOthers(disk, path, state);
  const late = new AbortController();
  const timer = clock.after(ANSWER_TIMEOUT, () => late.abort(new Error(`no answer within ${ANSWER_TIMEOUT / 1000} s`)));
  try {
    const request = { url: new URL("http://weft/version"), connectTo: { path }, signal: late.signal };
    const response = await net.http(request);
    const { version } = await response.json() as { version?: unknown };
    if (response.ok && typeof version === "string") return "weft";
    throw new Error("it says no version");
  } catch (error) {
    if (error instanceof NetError && (error.fault === "refused" || error.fault === "closed")) return "nobody";
    throw new CommandError(`What holds "${path}" doesn't answer as Weft does: ${errorText(error)}; stop it first`);
  } finally {
    timer.cancel();
  }
}

/**
 * Makes sure that the socket is this user's own, or, for root, that of whom the state belongs to: what is sent to it
 * would be another's to read, and what it answers another's to say.
 *
 * @throws {CommandError} when it isn't
 */
async function refuseOthers(disk: Disk, path: string, state: string): Promise<void> {
  const [socket, user] = await Promise.all([disk.lstat(path), disk.user()]);
  if (!socket || socket.owner === user) return;
  if (user === undefined || user === ROOT) {
    if ((await disk.lstat(state))?.owner === socket.owner) return;
  }
  throw new CommandError(
    `"${path}" belongs to another user (number ${socket.owner}), whose Weft may run with this state: ` +
      "ask that user, or use a state of your own",
  );
}

/** The folder for one user's sockets: the system's, where it keeps one. */
async function privateFolder(disk: Disk, user: number, temporary: string): Promise<string> {
  const kept = `${RUNTIME_FOLDERS}/${user}`;
  if (isPrivate(await disk.lstat(kept).catch(() => undefined), user)) return kept;
  const own = `${temporary}/weft-${user}`;
  if (await disk.lstat(own)) await refuseOpenFolder(disk, own, user);
  return own;
}

async function refuseOpenFolder(disk: Disk, folder: string, user: number | undefined): Promise<void> {
  if (isPrivate(await disk.lstat(folder), user)) return;
  throw new CommandError(
    `Cannot use "${folder}" for the control socket: it must be a folder that belongs to you and is closed to others; ` +
      "keep the state at a shorter path, which needs no such folder",
  );
}

function isPrivate(stat: Awaited<ReturnType<Disk["lstat"]>>, user: number | undefined): boolean {
  return stat?.kind === "directory" && stat.owner === user && (stat.access & 0o077) === 0;
}
