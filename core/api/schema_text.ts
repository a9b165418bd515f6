/** Schemas of texts with a meaning: amounts, addresses, URLs, paths. @module */
import { type HostPort, parseHostPort, parseIp, parsePeerAddress, type PeerAddress, quote } from "../wire/mod.ts";
import type { BindAddress } from "./host.ts";
import { scalar, type Schema } from "./schema.ts";
import { asText, bounds } from "./schema_support.ts";
import { parseDuration, parseRate, parseSize } from "./units.ts";

/** Options of an amount, in the units that the user writes. */
export interface AmountOptions {
  readonly default?: string | number;
  readonly min?: string | number;
  readonly max?: string | number;
}

/** A duration such as `30s`, `5m`, `1h30m`, in milliseconds. */
export function duration(options: AmountOptions = {}): Schema<number> {
  return amount("a duration such as 30s, 5m or 1h30m", parseDuration, options);
}

/** A size such as `64 KiB`, `10 MB`, or a plain number, in bytes. */
export function size(options: AmountOptions = {}): Schema<number> {
  return amount("a size such as 64 KiB or 10 MB", parseSize, options);
}

/** A rate such as `10 MB/s`, in bytes per second; `unlimited` is undefined. */
export function rate(options: AmountOptions = {}): Schema<number | undefined> {
  return amount("a rate such as 10 MB/s, 500 KiB/s or unlimited", parseRate, options);
}

/** A URL, as it was written; `schemes` are those allowed, with their colon: `["https:"]`. */
export function url(options: { default?: string; schemes?: readonly string[] } = {}): Schema<string> {
  const { schemes } = options;
  const expects = schemes ? `a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(" or ")}` : "a URL";
  return scalar(expects, (value) => {
    const text = asText(value);
    const { protocol } = new URL(text);
    if (schemes && !schemes.includes(protocol)) throw new TypeError("not an allowed scheme");
    return text;
  }, options);
}

/** A host, by name or address, and its port: `router.example:6881`, `[2001:db8::1]:6881`. */
export function hostPort(options: { default?: string } = {}): Schema<HostPort> {
  return scalar("a host and port such as example.org:6881", (value) => parseHostPort(asText(value)), options);
}

/** The address of a peer: `192.0.2.1:6881`, `[2001:db8::1]:6881`. */
export function peer(options: { default?: string } = {}): Schema<PeerAddress> {
  return scalar(
    "an IP address and port such as 192.0.2.1:6881 or [2001:db8::1]:6881",
    (value) => parsePeerAddress(asText(value)),
    options,
  );
}

/** Where a socket binds: `"[::]:6881"`, `0.0.0.0:0`, or a port alone, which means every address. */
export function bindAddress(options: { default?: string | number } = {}): Schema<BindAddress> {
  return scalar('an IP address and port such as "[::]:6881", or a port', readBindAddress, options);
}

/** The path of a file or folder; in a profile, a relative one starts at the profile's folder. */
export function path(options: { default?: string } = {}): Schema<string> {
  return scalar("a path", (value, node) => {
    const text = asText(value);
    if (text === "" || text.includes("\0")) throw new TypeError("not a path");
    return node?.resolve?.(text) ?? text;
  }, options);
}

/**
 * Reads `[::]:6881`, `0.0.0.0:0` or `6881`.
 *
 * @throws {RangeError} when it is none of these
 */
export function parseBindAddress(text: string): BindAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*:[^\]]*)\]:|([^:[\]]+):)?(\d{1,5})$/.exec(text) ?? [];
  const ip = parseIp(bracketed ?? plain ?? "::");
  const port = Number(digits);
  if (!ip || !(port <= 65535)) {
    throw new RangeError(
      `Cannot read address: expected one such as [::]:6881 or 6881, current value is ${quote(text)}`,
    );
  }
  return { ip: ip.text, port };
}

function readBindAddress(value: unknown): BindAddress {
  return parseBindAddress(typeof value === "number" ? String(value) : asText(value));
}

function amount<T extends number | undefined>(
  expects: string,
  parse: (text: string | number) => T,
  options: AmountOptions,
): Schema<T> {
  const read = (value: unknown): T => parse(typeof value === "number" ? value : asText(value));
  return scalar(expects, read, { default: options.default, check: bounds(options, parse) });
}
