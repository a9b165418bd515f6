/** Nodes as messages carry them: compact node info (BEP 5, 26 bytes; BEP 32, 38 bytes). @module */
import { byteString, compactEntries, ipScope, parseIp, type PeerAddress, peerAddressFromBytes } from "weft";
import { ID_LENGTH, isSecureId, type NodeId } from "./node_id.ts";

/** A node, as somebody named it or as it answered. */
export interface Contact {
  readonly id: NodeId;
  readonly address: PeerAddress;
  /** Id and compact address as a byte string, where it is at hand: those of a table are written into every answer. */
  readonly compact?: string;
}

/** The compact form of an address: 6 or 18 bytes. */
export function encodeAddress({ ip, port }: PeerAddress): Uint8Array {
  const { bytes } = parseIp(ip)!;
  const compact = new Uint8Array(bytes.length + 2);
  compact.set(bytes);
  compact[bytes.length] = port >> 8;
  compact[bytes.length + 1] = port & 0xff;
  return compact;
}

/** An address of 6 or 18 bytes; undefined for another length and for port 0. */
export function decodeAddress(bytes: Uint8Array): PeerAddress | undefined {
  const end = bytes.length - 2;
  if (end !== 4 && end !== 16) return undefined;
  const port = bytes[end] << 8 | bytes[end + 1];
  return port === 0 ? undefined : peerAddressFromBytes(bytes.subarray(0, end), port);
}

/** Compact node info of contacts of one family, 26 or 38 bytes each. */
export function encodeContacts(contacts: readonly Contact[], family: 4 | 6): Uint8Array {
  const size = ID_LENGTH + (family === 4 ? 6 : 18);
  const bytes = new Uint8Array(contacts.length * size);
  contacts.forEach((contact, n) => {
    const text = contact.compact ?? compactOf(contact);
    for (let i = 0; i < size; i++) bytes[n * size + i] = text.charCodeAt(i);
  });
  return bytes;
}

/** Id and compact address, 26 or 38 bytes, as a byte string. */
export function compactOf({ id, address }: Contact): string {
  return id + byteString(encodeAddress(address));
}

/** Reads compact node info, leaving out what can't be a node: port 0, IPv4 in IPv6, an entry that isn't whole. */
export function decodeContacts(bytes: Uint8Array, family: 4 | 6): Contact[] {
  const size = ID_LENGTH + (family === 4 ? 6 : 18);
  const contacts: Contact[] = [];
  for (const entry of compactEntries(bytes, size)) {
    const address = decodeAddress(entry.subarray(ID_LENGTH));
    if (address?.family === family) contacts.push({ id: byteString(entry.subarray(0, ID_LENGTH)), address });
  }
  return contacts;
}

/** Whether an address is public: others are in a network where nobody forges many. */
export function isPublic({ ip }: PeerAddress): boolean {
  return ipScope(ip) === "public";
}

/** Whether a node's id fits its address by BEP 42; those that are not public needn't. */
export function isSecure({ id, address }: Contact): boolean {
  return !isPublic(address) || isSecureId(id, parseIp(address.ip)!.bytes);
}

/** The network that an address belongs to, where one party may well have all of it: /24 of IPv4, /48 of IPv6. */
export function networkOf(address: PeerAddress): string {
  const { ip, family } = address;
  return family === 4 ? ip.slice(0, ip.lastIndexOf(".")) : byteString(encodeAddress(address).subarray(0, 6));
}
