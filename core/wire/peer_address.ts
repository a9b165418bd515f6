import { ProtocolError } from "./errors.ts";
import { quote } from "./text.ts";

/** Where a peer listens or connected from. */
export interface PeerAddress {
  /** Canonical text: dotted IPv4, or IPv6 as RFC 5952 writes it. An IPv4-mapped IPv6 address is IPv4 here. */
  readonly ip: string;
  /** 1 to 65535. */
  readonly port: number;
  readonly family: 4 | 6;
  /** "1.2.3.4:6881" or "[::1]:6881": the same for the same address, however it was written. */
  readonly key: string;
}

/** An IP address in its parts. */
export interface ParsedIp {
  /** 4 or 16 bytes, network order. */
  readonly bytes: Uint8Array;
  readonly family: 4 | 6;
  /** Canonical text. */
  readonly text: string;
}

/** A host name or address with a port, not resolved yet. */
export interface HostPort {
  /** A lower-case DNS name, or the canonical text of an address (IPv6 without brackets). */
  readonly host: string;
  readonly port: number;
}

/** A peer's address from an IP text and a port. Throws ProtocolError when either is not one. */
export function peerAddress(ip: string, port: number): PeerAddress {
  const parsed = parseIp(ip);
  if (!parsed) throw new ProtocolError(`Cannot read IP address: current value is ${quote(ip)}`);
  return fromParts(parsed.text, parsed.family, port);
}

/** A peer's address from 4 or 16 bytes in network order and a port. Throws ProtocolError on a port of 0. */
export function peerAddressFromBytes(bytes: Uint8Array, port: number): PeerAddress {
  const text = formatIp(bytes);
  return fromParts(text, text.includes(":") ? 6 : 4, port);
}

/** Reads "1.2.3.4:6881" or "[::1]:6881". Throws ProtocolError on anything else, DNS names included. */
export function parsePeerAddress(text: string): PeerAddress {
  const read = tryParseHostPort(text);
  const parsed = read && parseIp(read.host);
  if (!parsed) {
    throw new ProtocolError(
      `Cannot read peer address: expected "1.2.3.4:6881" or "[::1]:6881", current value is ${quote(text)}`,
    );
  }
  return fromParts(parsed.text, parsed.family, read.port);
}

/** Reads an address or a DNS name with its port. Throws ProtocolError on anything else. */
export function parseHostPort(text: string): HostPort {
  const read = tryParseHostPort(text);
  if (!read) {
    throw new ProtocolError(
      `Cannot read host: expected an address or a DNS name with a port, current value is ${quote(text)}`,
    );
  }
  return read;
}

/** As {@link parseHostPort}, but undefined instead of an error, for lists that skip what they can't use. */
export function tryParseHostPort(text: string): HostPort | undefined {
  const parts = splitPort(text);
  if (!parts) return undefined;
  const { host, port, bracketed } = parts;
  const parsed = parseIp(host);
  if (parsed) return bracketed === host.includes(":") ? { host: parsed.text, port } : undefined;
  return !bracketed && isDnsName(host) ? { host: host.toLowerCase(), port } : undefined;
}

/** The parts of an IPv4 or IPv6 text, or undefined when it is neither. An IPv4-mapped address comes back as IPv4. */
export function parseIp(text: string): ParsedIp | undefined {
  const read = text.includes(":") ? parseIp6(text) : parseIp4(text);
  if (!read) return undefined;
  const bytes = isMapped(read) ? read.subarray(12) : read;
  return { bytes, family: bytes.length === 4 ? 4 : 6, text: formatIp(bytes) };
}

/** Canonical text of 4 or 16 bytes; IPv4-mapped IPv6 becomes IPv4. Throws ProtocolError on another length. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.length !== 16) {
    throw new ProtocolError(`Cannot read IP address: length must be 4 or 16, current value is ${bytes.length}`);
  }
  return isMapped(bytes) ? formatIp(bytes.subarray(12)) : formatIp6(bytes);
}

/** Names whoever holds an address, to count by: the IP, or the /64 network of IPv6, of which anybody has 2^64. */
export function holderOf({ ip, family }: PeerAddress): string {
  return family === 4 ? ip : `${formatIp(parseIp(ip)!.bytes.fill(0, 8))}/64`;
}

function fromParts(ip: string, family: 4 | 6, port: number): PeerAddress {
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new ProtocolError(`Cannot read port: must be 1 to 65535, current value is ${port}`);
  }
  return { ip, port, family, key: family === 4 ? `${ip}:${port}` : `[${ip}]:${port}` };
}

function splitPort(text: string): HostPort & { bracketed: boolean } | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65535) return undefined;
  return { host: match[1] ?? match[2], port, bracketed: match[1] !== undefined };
}

/** RFC 1123 labels (and the underscore that exists in the wild); a numeric last label is a mistyped IPv4. */
function isDnsName(text: string): boolean {
  if (text.length > 253) return false;
  const labels = text.replace(/\.$/, "").split(".");
  return labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label)) &&
    !/^\d+$/.test(labels[labels.length - 1]);
}

function parseIp4(text: string): Uint8Array | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  const parts = match.slice(1);
  // A leading zero means octal to some resolvers: what it names would depend on who reads it.
  if (parts.some((part) => Number(part) > 255 || (part.length > 1 && part[0] === "0"))) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIp6(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0], halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1], true) : [];
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

/** The bytes of colon-separated groups, of which the last may be a dotted IPv4 if it ends the address. */
function parseGroups(text: string, endsAddress: boolean): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [i, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else {
      const ip4 = endsAddress && i === groups.length - 1 ? parseIp4(group) : undefined;
      if (!ip4) return undefined;
      bytes.push(...ip4);
    }
  }
  return bytes;
}

function formatIp6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes[2 * i] << 8 | bytes[2 * i + 1]);
  let start = -1;
  let longest = 1; // RFC 5952: a single zero group is not shortened
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === 0) run++;
    if (run > longest) [start, longest] = [i, run];
  }
  const text = groups.map((group) => group.toString(16));
  if (start < 0) return text.join(":");
  return `${text.slice(0, start).join(":")}::${text.slice(start + longest).join(":")}`;
}

function isMapped(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return true;
}
