/** The nodes that are kept across restarts and reloads: ids and contacts, as bencode. @module */
import { byteString, decode, encode, fromByteString } from "weft";
import { type Contact, decodeContacts, encodeContacts } from "./contact.ts";
import { ID_LENGTH, type NodeId } from "./node_id.ts";

// Far more nodes than a table has; the state file is ours, but may have been damaged.
const MAX_BYTES = 64 * 1024;

/** What is kept of a node's tables. */
export interface SavedTables {
  readonly ids: { readonly 4?: NodeId; readonly 6?: NodeId };
  readonly contacts: readonly Contact[];
}

/** Writes what is kept. */
export function encodeTables({ ids, contacts }: SavedTables): Uint8Array {
  const of = (family: 4 | 6): Uint8Array =>
    encodeContacts(contacts.filter(({ address }) => address.family === family), family);
  return encode({
    id: ids[4] === undefined ? undefined : fromByteString(ids[4]),
    id6: ids[6] === undefined ? undefined : fromByteString(ids[6]),
    nodes: of(4),
    nodes6: of(6),
  });
}

/** Reads what is kept. Throws ProtocolError when it is damaged. */
export function decodeTables(bytes: Uint8Array): SavedTables {
  const saved = decode(bytes, { maxBytes: MAX_BYTES });
  const string = (key: string): Uint8Array => {
    const value = saved instanceof Map ? saved.get(key) : undefined;
    return value instanceof Uint8Array ? value : new Uint8Array();
  };
  const id = (key: string): NodeId | undefined =>
    string(key).length === ID_LENGTH ? byteString(string(key)) : undefined;
  return {
    ids: { 4: id("id"), 6: id("id6") },
    contacts: [...decodeContacts(string("nodes"), 4), ...decodeContacts(string("nodes6"), 6)],
  };
}
