import type { HostIsolates, Isolate, IsolateOptions, IsolatePermissions } from "../../../api/mod.ts";
import { startProcess } from "./process.ts";
import { startWorker } from "./worker.ts";

/** Isolated code on this machine: in a worker, or in a child process of this same program. */
export const denoIsolates: HostIsolates = {
  async start(options: IsolateOptions): Promise<Isolate> {
    checkPermissions(options.permissions, options.code);
    return await (options.kind === "worker" ? startWorker(options) : startProcess(options));
  },
};

/** Nobody can grant what he doesn't have: Deno would refuse too, but not say what. */
function checkPermissions(
  { net = [], read = [], write = [], env = [] }: IsolatePermissions,
  code: readonly string[],
): void {
  const wanted: readonly (readonly [flag: string, value: string, descriptor: Deno.PermissionDescriptor])[] = [
    ...(net === true
      ? [["net", "", { name: "net" }] as const]
      : net.map((host) => ["net", host, { name: "net", host }] as const)),
    ...[...code, ...read].map((path) => ["read", path, { name: "read", path }] as const),
    ...write.map((path) => ["write", path, { name: "write", path }] as const),
    ...env.map((variable) => ["env", variable, { name: "env", variable }] as const),
  ];
  for (const [flag, value, descriptor] of wanted) {
    let granted: boolean;
    try {
      granted = Deno.permissions.querySync(descriptor).state === "granted";
    } catch (cause) {
      throw new Error(`Cannot grant ${flag} access to "${value}": ${(cause as Error).message}`, { cause });
    }
    if (granted) continue;
    const what = value === "" ? flag : `${flag} access to "${value}"`;
    const remedy = value === "" ? `--allow-${flag}` : `--allow-${flag}=${value}`;
    throw new Error(`Cannot grant ${what}: Weft does not have it itself; run it with ${remedy}`);
  }
}
