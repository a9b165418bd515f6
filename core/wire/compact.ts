// Compact peer lists: BEP 23 (IPv4, 6 bytes each) and BEP 7 (IPv6, 18 bytes each).
import { parseIp, type PeerAddress, peerAddressFromBytes } from "./peer_address.ts";

/** The IPv4 addresses of the list, 6 bytes each; those of IPv6 are left out. */
export function encodePeers4(addresses: readonly PeerAddress[]): Uint8Array {
  return encodePeers(addresses, 4);
}

/** The IPv6 addresses of the list, 18 bytes each; those of IPv4 are left out. */
export function encodePeers6(addresses: readonly PeerAddress[]): Uint8Array {
  return encodePeers(addresses, 6);
}

/** IPv4 peers, without entries of port 0. Bytes behind the last whole entry are passed over. */
export function decodePeers4(bytes: Uint8Array): PeerAddress[] {
  return decodePeers(bytes, 4);
}

/** IPv6 peers (IPv4-mapped ones as IPv4), without entries of port 0. */
export function decodePeers6(bytes: Uint8Array): PeerAddress[] {
  return decodePeers(bytes, 16);
}

function encodePeers(addresses: readonly PeerAddress[], family: 4 | 6): Uint8Array {
  const chosen = addresses.filter((address) => address.family === family);
  const size = family === 4 ? 6 : 18;
  const bytes = new Uint8Array(chosen.length * size);
  chosen.forEach(({ ip, port }, i) => {
    bytes.set(parseIp(ip)!.bytes, i * size);
    bytes[i * size + size - 2] = port >> 8;
    bytes[i * size + size - 1] = port & 0xff;
  });
  return bytes;
}

function decodePeers(bytes: Uint8Array, ipLength: 4 | 16): PeerAddress[] {
  const size = ipLength + 2;
  const addresses: PeerAddress[] = [];
  for (const entry of compactEntries(bytes, size)) {
    const port = entry[ipLength] << 8 | entry[ipLength + 1];
    if (port !== 0) addresses.push(peerAddressFromBytes(entry.subarray(0, ipLength), port));
  }
  return addresses;
}

/** The whole entries of `size` bytes each, as views: a compact list of peers, nodes or ids that a stray byte follows. */
export function compactEntries(bytes: Uint8Array, size: number): Uint8Array[] {
  const length = Math.floor(bytes.length / size);
  return Array.from({ length }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}
