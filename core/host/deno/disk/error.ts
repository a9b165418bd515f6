import { DiskError, type DiskFault } from "../../../api/host.ts"; // alone: this is loaded in workers

const FAULTS: Readonly<Record<string, DiskFault>> = {
  ENOSPC: "full",
  EDQUOT: "full",
  EACCES: "denied",
  EPERM: "denied",
  NotCapable: "denied",
  EROFS: "readOnly",
  ENOENT: "notFound",
  EEXIST: "exists",
  ENOTEMPTY: "exists",
  EMFILE: "tooManyFiles",
  ENFILE: "tooManyFiles",
};

/** What node:fs threw, as the {@link DiskError} that callers know. */
export function diskError(error: unknown, verb: string, path: string): DiskError {
  if (error instanceof DiskError) return error;
  const { code, name, message } = error as { code?: string; name?: string; message?: string };
  const fault = FAULTS[code ?? ""] ?? FAULTS[name ?? ""] ?? "io";
  // The code, the call and the path, which Node and Deno add, say nothing new.
  const reason = (message ?? String(error)).replace(/^E[A-Z]+: /, "").replace(/[,:] \w+ '.*'$/s, "");
  return new DiskError(fault, `Cannot ${verb} "${path}": ${reason}`, { cause: error });
}
