import type { Clock } from "../api/mod.ts";

/**
 * Waits until all of `works` have settled, well or not, but no longer than `milliseconds`: one that hangs holds up
 * nothing.
 *
 * @returns the names of those that had not, each once
 */
export async function settledWithin(
  clock: Clock,
  milliseconds: number,
  works: readonly (readonly [name: string, work: Promise<unknown>])[],
): Promise<readonly string[]> {
  const left = new Map<Promise<unknown>, string>();
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const [name, work] of works) left.set(work, name);
  const settled = (work: Promise<unknown>): void => {
    left.delete(work);
    if (left.size === 0) resolve();
  };
  for (const work of left.keys()) work.then(() => settled(work), () => settled(work));
  if (left.size === 0) return [];
  const timer = clock.after(milliseconds, resolve);
  await promise;
  timer.cancel();
  return [...new Set(left.values())];
}
