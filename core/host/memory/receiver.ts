/** Who hears datagrams, as the network sees them. @module */
import type { PeerAddress } from "../../wire/mod.ts";

/** A socket that datagrams arrive at. */
export interface DatagramReceiver {
  arrive(bytes: Uint8Array, from: PeerAddress): void;
}

/** A socket that joined a multicast group. */
export interface GroupMember extends DatagramReceiver {
  /** Its address on the LAN of `ip`, which is of the machine `sender`, if it joined there. */
  hears(ip: string, sender: object): string | undefined;
}
