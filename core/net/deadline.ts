import type { Clock } from "../api/mod.ts";

/**
 * What `work` settles to, or a rejection when that takes longer than `milliseconds`: for calls of plugins that no hook's
 * contract bounds, so that one that never settles holds up nothing.
 *
 * @param what who was to do what, for the error: `plugin "x" did not start`
 */
export async function withDeadline<T>(
  clock: Clock,
  milliseconds: number,
  what: string,
  work: () => T | Promise<T>,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = clock.after(milliseconds, () => reject(new Error(`${what} within ${milliseconds / 1000} s`)));
  const run = async (): Promise<T> => await work();
  run().then(resolve, reject);
  try {
    return await promise;
  } finally {
    timer.cancel();
  }
}
