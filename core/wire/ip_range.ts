import { ProtocolError } from "./errors.ts";
import { parseIp } from "./peer_address.ts";
import { quote } from "./text.ts";

/** What kind of network an address belongs to, for the egress guard and for LAN rules. */
export type IpScope = "public" | "loopback" | "private" | "linkLocal" | "multicast" | "unspecified" | "reserved";

type Range = readonly [bytes: readonly number[], bits: number, scope: IpScope];

// First match wins. The documentation ranges count as public: examples and tests use them as strangers' addresses.
const RANGES_4: readonly Range[] = [
  [[0], 8, "unspecified"],
  [[10], 8, "private"],
  [[100, 64], 10, "private"], // carrier-grade NAT
  [[127], 8, "loopback"],
  [[169, 254], 16, "linkLocal"],
  [[172, 16], 12, "private"],
  [[192, 0, 0], 24, "reserved"],
  [[192, 168], 16, "private"],
  [[198, 18], 15, "private"], // benchmarks
  [[224], 4, "multicast"],
  [[240], 4, "reserved"], // with broadcast
];

const RANGES_6: readonly Range[] = [
  [new Array(16).fill(0), 128, "unspecified"],
  [[...new Array(15).fill(0), 1], 128, "loopback"],
  [[0x00, 0x64, 0xff, 0x9b, 0x00, 0x01], 48, "private"], // local-use NAT64
  [[0xfc], 7, "private"],
  [[0xfe, 0x80], 10, "linkLocal"],
  [[0xfe, 0xc0], 10, "private"], // site-local, deprecated but routed in places
  [[0xff], 8, "multicast"],
  [[0x20], 3, "public"], // global unicast; all the rest is unassigned
];

/** The scope of an IPv4 or IPv6 text; NAT64 and 6to4 are judged by the IPv4 inside. Throws ProtocolError when it is no address. */
export function ipScope(ip: string): IpScope {
  const parsed = parseIp(ip);
  if (!parsed) throw new ProtocolError(`Cannot read IP address: current value is ${quote(ip)}`);
  return parsed.family === 4 ? find(RANGES_4, parsed.bytes) ?? "public" : scope6(parsed.bytes);
}

function scope6(bytes: Uint8Array): IpScope {
  if (inRange(bytes, [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], 96)) {
    return find(RANGES_4, bytes.subarray(12)) ?? "public";
  }
  if (inRange(bytes, [0x20, 0x02], 16)) return find(RANGES_4, bytes.subarray(2, 6)) ?? "public";
  return find(RANGES_6, bytes) ?? "reserved";
}

function find(ranges: readonly Range[], bytes: Uint8Array): IpScope | undefined {
  return ranges.find(([prefix, bits]) => inRange(bytes, prefix, bits))?.[2];
}

function inRange(bytes: Uint8Array, prefix: readonly number[], bits: number): boolean {
  for (let i = 0; i * 8 < bits; i++) {
    const mask = 0xff << Math.max(0, 8 - (bits - i * 8)) & 0xff;
    if ((bytes[i] & mask) !== (prefix[i] & mask)) return false;
  }
  return true;
}
