/** Machines that let nobody in whom they didn't write to first, as behind a router at home. */
import type { Need } from "./lab.ts";
import { namespacesMissing, run, type Site } from "./netns.ts";

/** How a router translates. */
export interface NatOptions {
  /** The UDP port that the outside sees in the place of another; all ports are kept if not given. */
  readonly udp?: { readonly inside: number; readonly outside: number };
}

/** As a router whose ports look the same from everywhere; what it doesn't let in gets no answer. */
function rules({ udp }: NatOptions): string {
  const translated = udp && `chain output {
    type nat hook postrouting priority srcnat
    udp sport ${udp.inside} masquerade to :${udp.outside}
  }`;
  return `table ip router {
    chain input {
      type filter hook input priority filter; policy drop
      ct state established,related accept
    }
    ${translated ?? ""}
  }`;
}

/** What it takes: the kernel's packet filter, which follows connections, and `nft` that sets it. */
export const nat: Need = {
  name: "nft",
  async available(): Promise<string | undefined> {
    if (await namespacesMissing()) return undefined; // which is what a test then says
    const check = await run("nft", "--check", rules({ udp: { inside: 1, outside: 2 } })).catch(() => undefined);
    if (!check) return "nft (nftables) is not installed";
    return check.code === 0 ? undefined : `nft fails: ${check.stderr.trim()}`;
  },
};

/** Puts a machine behind such a router, for IPv4, as long as its namespace stands. */
export async function putBehindNat({ name }: Site, options: NatOptions = {}): Promise<void> {
  const { code, stderr } = await run("ip", "netns", "exec", name, "nft", rules(options));
  if (code !== 0) throw new Error(`Cannot put "${name}" behind a router: ${stderr.trim()}`);
}
