import { NetError, type NetFault } from "../../../api/mod.ts";

const FAULTS: Readonly<Record<string, NetFault>> = {
  ECONNREFUSED: "refused",
  ENOENT: "refused", // a Unix socket that isn't there
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  ENOTCONN: "reset",
  ETIMEDOUT: "timedOut",
  ENETUNREACH: "unreachable",
  EHOSTUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  EADDRINUSE: "inUse",
  ENOTFOUND: "notFound",
  EAI_AGAIN: "notFound",
  EACCES: "denied",
  EPERM: "denied",
  NotCapable: "denied",
  EMFILE: "tooManyFiles",
  ENFILE: "tooManyFiles",
  BadResource: "closed",
  Interrupted: "closed",
};

/** What Deno threw, as the {@link NetError} that callers know. `action` says what failed, with the address. */
export function netError(error: unknown, action: string): NetError {
  if (error instanceof NetError) return error;
  const { code, name, message } = error as { code?: string; name?: string; message?: string };
  const fault = FAULTS[code ?? ""] ?? FAULTS[name ?? ""] ?? "io";
  return new NetError(fault, `Cannot ${action}: ${message ?? String(error)}`, { cause: error });
}
