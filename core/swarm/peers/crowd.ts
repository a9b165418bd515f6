/**
 * Who makes room where places are few: places are shared by who holds an address, and by network, so that whoever has
 * many addresses or opens many connections takes them from itself.
 *
 * @module
 */
import { holderOf, parseIp, type PeerAddress } from "../../wire/mod.ts";

// The share of all places that a network may have while others have fewer: several honest ones of one network come at once.
const FAIR_SHARE = 1 / 4;

/** Where somebody comes from. */
export interface Origin {
  /** See {@link holderOf}. */
  readonly holder: string;
  /** A /24 of IPv4, a /48 of IPv6, which is what one site has. */
  readonly network: string;
}

/** Somebody who takes a place. */
export interface Member {
  readonly from: Origin;
}

export function originOf(address: PeerAddress): Origin {
  const { ip, family } = address;
  const network = parseIp(ip)!.bytes.subarray(0, family === 4 ? 3 : 6).join(".");
  return { holder: holderOf(address), network };
}

/**
 * Who of the members is to go for a newcomer: of the network that has most places, the address that has most, and of
 * that whoever `spare` puts first. A newcomer whose own network has most already takes the place of one of these.
 *
 * @param members everybody who has a place, the oldest first
 * @param spare how well a member can be spared, the highest first; undefined where it can't. Told whether the member's
 * network has more places than the newcomer's would have
 * @returns undefined when nobody may go
 */
export function whoMakesRoom<M extends Member>(
  members: readonly M[],
  newcomer: Origin,
  spare: (member: M, crowded: boolean) => number | undefined,
): M | undefined {
  const networks = countBy(members, "network");
  const holders = countBy(members, "holder");
  const ownCount = (networks.get(newcomer.network) ?? 0) + 1;
  let found: { readonly member: M; readonly rank: readonly number[] } | undefined;
  for (const member of members) {
    const { holder, network } = member.from;
    const count = networks.get(network)!;
    const spared = spare(member, count > ownCount);
    if (spared === undefined) continue;
    // It would only move the places to a network that has more of them.
    if (network !== newcomer.network && count < ownCount && ownCount > members.length * FAIR_SHARE) continue;
    const rank = [count, holders.get(holder)!, spared];
    if (!found || compare(rank, found.rank) > 0) found = { member, rank };
  }
  return found?.member;
}

function countBy(members: readonly Member[], of: keyof Origin): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { from } of members) counts.set(from[of], (counts.get(from[of]) ?? 0) + 1);
  return counts;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}
