import { ProtocolError } from "./errors.ts";

const encoder = new TextEncoder();
// A byte order mark is part of a name like any other character, so it is kept.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Lower-case hex, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i]];
  return text;
}

/** Bytes of a hex text in either case. Throws ProtocolError unless it is whole pairs of hex digits. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || /[^0-9a-f]/i.test(text)) {
    throw new ProtocolError(`Cannot decode hex: expected pairs of hex digits, current value is ${quote(text)}`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Bytes of a base32 text (RFC 4648, either case, with or without padding). Throws ProtocolError on other characters. */
export function base32Decode(text: string): Uint8Array {
  const digits = text.replace(/=+$/, "").toUpperCase();
  const bytes = new Uint8Array(Math.floor(digits.length * 5 / 8));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const digit of digits) {
    const value = BASE32.indexOf(digit);
    if (value < 0) {
      throw new ProtocolError(`Cannot decode base32: expected A to Z and 2 to 7, current value is ${quote(text)}`);
    }
    held = (held << 5 | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >> bits;
    }
  }
  return bytes;
}

/** Text of UTF-8 bytes; what isn't UTF-8 becomes U+FFFD, so it never throws. */
export function utf8Decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Text of bytes in UTF-8, or else in `encoding` (a name such as "GBK") if that is one and they are right in it. */
export function decodeName(bytes: Uint8Array, encoding: string | undefined): string {
  for (const label of encoding === undefined ? [] : ["utf-8", encoding]) {
    try {
      return new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      // Not in this one, or nobody knows it.
    }
  }
  return utf8Decode(bytes);
}

/** UTF-8 bytes of a text. */
export function utf8Encode(text: string): Uint8Array {
  return encoder.encode(text);
}

/** One character per byte (U+0000 to U+00FF): a lossless text for binary keys. */
export function byteString(bytes: Uint8Array): string {
  const size = 8192; // arguments of one call, well below the stack's limit
  let text = "";
  for (let at = 0; at < bytes.length; at += size) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + size) as unknown as number[]);
  }
  return text;
}

/** The bytes of a {@link byteString}. Throws TypeError on a character above U+00FF. */
export function fromByteString(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) throw new TypeError(`Cannot read byte string: expected characters up to U+00FF in "${text}"`);
    bytes[i] = code;
  }
  return bytes;
}

/** Whether two byte arrays hold the same bytes. Not in constant time: not for secrets. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Bytes as a URL component (RFC 3986: unreserved characters stand, the rest is %XX), as trackers want info_hash and peer_id. */
export function percentEncode(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const character = String.fromCharCode(bytes[i]);
    text += /[A-Za-z0-9\-._~]/.test(character) ? character : "%" + HEX[bytes[i]].toUpperCase();
  }
  return text;
}

/** A value in double quotes for an error message, cut so that hostile input can't flood a log. */
export function quote(text: string): string {
  const limit = 100;
  return JSON.stringify(text.length > limit ? text.slice(0, limit) + "…" : text);
}

/** The same object without the properties that are undefined. */
export function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
