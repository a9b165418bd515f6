/** A whole number from 0 up to, not including, `bound` (1 to 2^32), each as likely as the others. */
export function uniformBelow(bound: number, nextUint32: () => number): number {
  if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
    throw new RangeError(`Cannot draw a number: bound must be 1 to 2^32, current value is ${bound}`);
  }
  // The last, incomplete run of `bound` numbers would favour small results, so draws from it are thrown away.
  const fair = 2 ** 32 - (2 ** 32 % bound);
  for (;;) {
    const drawn = nextUint32();
    if (drawn < fair) return drawn % bound;
  }
}
