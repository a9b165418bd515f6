/**
 * How many more descriptors this process may open, counting up to `atMost`.
 *
 * The system tells its limit only to who may see all of /proc, which Weft's permissions leave out: so they are opened
 * and closed again, which takes some microseconds each.
 */
export function freeDescriptors(atMost: number): number {
  const opened: Deno.FsFile[] = [];
  try {
    while (opened.length < atMost) opened.push(Deno.openSync("/dev/null"));
  } catch (error) {
    // Where it may not even be looked at, nothing is known.
    if (error instanceof Deno.errors.NotCapable) return atMost;
  } finally {
    for (const file of opened) file.close();
  }
  return opened.length;
}
