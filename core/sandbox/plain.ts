import { ProtocolError } from "../wire/mod.ts";

/** What a message may cost at most. */
export interface PlainLimits {
  /** Bytes of texts (two a character) and byte arrays together. */
  readonly bytes: number;
  /** Values, counting lists and mappings themselves. */
  readonly values: number;
}

// Deeper than any message; recursion past it could exhaust the stack.
const MAX_DEPTH = 24;

/**
 * A copy of plain data that came from code which may be hostile: null, booleans, numbers, texts, byte arrays, lists
 * and mappings of these. A copy has no prototype of its own making, no cycle, and no memory that the sender still
 * holds; undefined stays undefined.
 *
 * @param size its `bytes` become those of texts and byte arrays in `value`
 * @throws {ProtocolError} on anything else, and past the limits
 */
export function copyPlain(value: unknown, { bytes, values }: PlainLimits, size?: { bytes: number }): unknown {
  let bytesLeft = bytes;
  let valuesLeft = values;
  const spend = (size: number): void => {
    bytesLeft -= size;
    if (bytesLeft < 0) throw new ProtocolError(`more than ${bytes} bytes in one message`);
  };
  const copy = (value: unknown, depth: number): unknown => {
    if (--valuesLeft < 0) throw new ProtocolError(`more than ${values} values in one message`);
    if (value == null || typeof value === "boolean" || typeof value === "number") return value;
    if (typeof value === "string") {
      spend(2 * value.length);
      return value;
    }
    if (typeof value !== "object") throw new ProtocolError(`a ${typeof value} is no plain data`);
    if (depth === MAX_DEPTH) throw new ProtocolError(`more than ${MAX_DEPTH} levels in one message`);
    if (value instanceof Uint8Array) {
      // Both sides could write to shared memory while the other reads it.
      if (!(value.buffer instanceof ArrayBuffer)) throw new ProtocolError("shared memory is no plain data");
      spend(value.length);
      return new Uint8Array(value);
    }
    if (Array.isArray(value)) {
      // Counted before it is walked: a list may be sparse and claim any length.
      if (value.length > valuesLeft) throw new ProtocolError(`more than ${values} values in one message`);
      return Array.from(value, (item) => copy(item, depth + 1));
    }
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) throw new ProtocolError("an object is no plain data");
    const fields: [string, unknown][] = [];
    for (const key of Object.keys(value)) {
      if (key === "__proto__") throw new ProtocolError('a key "__proto__" is no plain data');
      spend(2 * key.length);
      const field = copy((value as Record<string, unknown>)[key], depth + 1);
      if (field !== undefined) fields.push([key, field]);
    }
    return Object.fromEntries(fields);
  };
  const whole = copy(value, 0);
  if (size) size.bytes = bytes - bytesLeft;
  return whole;
}
