import assert from "node:assert/strict";

// What was closed is gone within a few turns of the event loop; threads take a little longer to end, and on a machine
// that is busy with other things much longer.
const SETTLE_STEP = 10;
const SETTLE_LIMIT = 30_000;

/** What a process holds of the system. */
export interface Held {
  /** Open descriptors by what they lead to, such as `socket` or `/tmp/file`, with how many there are of each. */
  readonly descriptors: ReadonlyMap<string, number>;
  /** Threads of Workers. Deno's own pool grows and shrinks with the load, and says nothing about what we hold. */
  readonly workers: number;
}

/** Counts this process's open descriptors and Workers (Linux). */
export async function held(): Promise<Held> {
  const descriptors = new Map<string, number>();
  for (const { name } of await entries("/proc/self/fd")) {
    // One that is gone by now was this very listing.
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => undefined);
    const kind = target?.replace(/:?\[.*$/, "");
    if (kind && !/^\/proc\/\d+\/fd$/.test(kind)) descriptors.set(kind, (descriptors.get(kind) ?? 0) + 1);
  }
  let workers = 0;
  for (const { name } of await entries("/proc/self/task")) {
    const title = await Deno.readTextFile(`/proc/self/task/${name}/comm`).catch(() => "");
    if (title.startsWith("worker-")) workers++;
  }
  return { descriptors, workers };
}

/**
 * Remembers what the process holds now; `verify` fails when it holds more after a short settle, naming what. Run what
 * is tested once before: the runtime keeps some descriptors from their first use on.
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
  if (after.workers > before.workers) leaks.push(`${after.workers - before.workers} more workers`);
  return leaks;
}

async function entries(path: string): Promise<Deno.DirEntry[]> {
  return await Array.fromAsync(Deno.readDir(path));
}
