// Reading the keys of a torrent's dictionaries: optional ones of a wrong type count as missing, required ones throw.
import type { DictSpan, Span } from "./bencode.ts";
import { ProtocolError } from "./errors.ts";
import { decodeName } from "./text.ts";

/** The error for a torrent that breaks a rule. */
export function fault(what: string): ProtocolError {
  return new ProtocolError(`Cannot read torrent: ${what}`);
}

/** An integer that must be there, within bounds; `place` goes before the key in the error. */
export function requiredInteger(dict: DictSpan, key: string, least: number, most: number, place = ""): number {
  const span = dict.entries.get(key);
  const value = span?.kind === "integer" ? span.value : undefined;
  if (typeof value !== "number" || value < least || value > most) {
    throw fault(`"${place}${key}" must be ${least} to ${most}, current value is ${value ?? span?.kind ?? "missing"}`);
  }
  return value;
}

/** An integer that may be there. */
export function integer(dict: DictSpan, key: string): number | undefined {
  const span = dict.entries.get(key);
  return span?.kind === "integer" && typeof span.value === "number" ? span.value : undefined;
}

/** Bytes that may be there, as a view. */
export function bytes(dict: DictSpan, key: string): Uint8Array | undefined {
  const span = dict.entries.get(key);
  return span?.kind === "string" ? span.bytes : undefined;
}

/** Text that may be there; `encoding` is what an older program says that it wrote instead of UTF-8. */
export function text(dict: DictSpan, key: string, encoding?: string): string | undefined {
  const found = bytes(dict, key);
  return found && decodeName(found, encoding);
}

/** A list that may be there. */
export function list(dict: DictSpan, key: string): readonly Span[] | undefined {
  const span = dict.entries.get(key);
  return span?.kind === "list" ? span.items : undefined;
}

/** A list of text that may be there; an item of another kind makes it missing, for without it a path is another. */
export function texts(dict: DictSpan, key: string, encoding?: string): string[] | undefined {
  const items = list(dict, key);
  const found = items?.filter((item) => item.kind === "string").map((item) => decodeName(item.bytes, encoding));
  return found?.length === items?.length ? found : undefined;
}
