import assert from "node:assert/strict";

// What was closed is gone within a few turns of the event loop; threads take a little longer to end.
const SETTLE_STEP = 10;
const SETTLE_LIMIT = 2000;

/** What a process holds of the system. */
export interface Held {
  /** Open descriptors by what they lead to, such as `socket` or `/tmp/file`, with how many there are of each. */
  readonly descriptors: ReadonlyMap<string, number>;
  /** Threads. */
  readonly threads: number;
}

/** Counts this process's open descriptors and threads (Linux). */
export async function held(): Promise<Held> {
  const descriptors = new Map<string, number>();
  for (const { name } of await entries("/proc/self/fd")) {
    // One that is gone by now was this very listing.
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => undefined);
    const kind = target?.replace(/:?\[.*$/, "");
    if (kind && !/^\/proc\/\d+\/fd$/.test(kind)) descriptors.set(kind, (descriptors.get(kind) ?? 0) + 1);
  }
  return { descriptors, threads: (await entries("/proc/self/task")).length };
}

/**
 * Remembers what the process holds now; `verify` fails when it holds more after a short settle, naming what. Run what
 * is tested once before: the runtime keeps some threads from their first use on.
 */
export async function leakCheck(): Promise<{ verify(options?: { settleMs?: number }): Promise<void> }> {
  const before = await held();
  return {
    async verify({ settleMs = SETTLE_LIMIT } = {}) {
      let leaks = compare(before, await held());
      for (let waited = 0; leaks.length > 0 && waited < settleMs; waited += SETTLE_STEP) {
        await new Promise<void>((resolve) => setTimeout(resolve, SETTLE_STEP));
        leaks = compare(before, await held());
      }
      assert.deepEqual(leaks, [], "something was left open");
    },
  };
}

function compare(before: Held, after: Held): string[] {
  const leaks: string[] = [];
  for (const [kind, count] of after.descriptors) {
    const more = count - (before.descriptors.get(kind) ?? 0);
    if (more > 0) leaks.push(`${more} more of ${kind}`);
  }
  if (after.threads > before.threads) leaks.push(`${after.threads - before.threads} more threads`);
  return leaks;
}

async function entries(path: string): Promise<Deno.DirEntry[]> {
  return await Array.fromAsync(Deno.readDir(path));
}
