import { ipScope, parseIp } from "../wire/mod.ts";

// Witnesses that count, the latest: liars must be many to outvote the rest, and we may move to another network.
const MAX_WITNESSES = 32;

/**
 * Our own address on the internet, as others say that they see it (BEP 10 `yourip`, BEP 24). Each of them may lie, so
 * each has one vote in each family of addresses.
 */
export class OwnAddress {
  /** The IP that each witness saw, by family; the latest last. */
  readonly #votes = { 4: new Map<string, string>(), 6: new Map<string, string>() };
  readonly #known: { 4?: string; 6?: string } = {};

  /** Takes the word of `witness` (an IP) for `ip`, and returns our address in that family if it is another now. */
  seen(ip: string, witness: string): string | undefined {
    const parsed = parseIp(ip);
    // Who is on our own network sees us under an address that nobody else does.
    if (!parsed || ipScope(parsed.text) !== "public") return undefined;
    const { family, text } = parsed;
    const votes = this.#votes[family];
    votes.delete(witness);
    votes.set(witness, text);
    if (votes.size > MAX_WITNESSES) votes.delete(votes.keys().next().value!);
    const known = this.#known[family];
    const [winner] = [known ?? text, text].sort((a, b) => count(votes, b) - count(votes, a));
    if (winner === known) return undefined;
    return this.#known[family] = winner;
  }
}

function count(votes: ReadonlyMap<string, string>, ip: string): number {
  let sum = 0;
  for (const vote of votes.values()) if (vote === ip) sum++;
  return sum;
}
