/** Machines that let nobody in whom they didn't write to first, as behind a router at home. */
import type { Need } from "./lab.ts";
import { namespacesMissing, run, type Site } from "./netns.ts";

/** As a router that gives every port its own number outside; what it doesn't let in gets no answer. */
const rules = `table inet router {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
  }
}`;

/** What it takes: the kernel's packet filter, which follows connections, and `nft` that sets it. */
export const nat: Need = {
  name: "nft",
  async available(): Promise<string | undefined> {
    if (await namespacesMissing()) return undefined; // which is what a test then says
    const check = await run("nft", "--check", rules).catch(() => undefined);
    if (!check) return "nft (nftables) is not installed";
    return check.code === 0 ? undefined : `nft fails: ${check.stderr.trim()}`;
  },
};

/** Puts a machine behind such a router, as long as its namespace stands. Nobody finds it over IPv6 any more. */
export async function putBehindNat({ name }: Site): Promise<void> {
  const { code, stderr } = await run("ip", "netns", "exec", name, "nft", rules);
  if (code !== 0) throw new Error(`Cannot put "${name}" behind a router: ${stderr.trim()}`);
}
