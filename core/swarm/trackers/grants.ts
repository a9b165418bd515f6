/** What the user allowed a swarm's trackers: to be on loopback and private addresses. @module */
import type { Egress } from "../../net/mod.ts";

export class TrackerGrants {
  /** Lets through what is granted here; nobody else's requests are. */
  readonly guard: Egress;
  #grants = new DisposableStack();

  constructor(egress: Egress) {
    this.guard = egress.child();
  }

  /** Lets through those of `urls` that name a host, and none of those before. */
  renew(urls: readonly string[]): void {
    this.revoke();
    this.#grants = new DisposableStack();
    for (const text of new Set(urls)) {
      if (!URL.canParse(text)) continue;
      const { hostname, port, protocol } = new URL(text);
      try {
        this.#grants.use(this.guard.grant(`${hostname}:${port || (protocol === "https:" ? 443 : 80)}`));
      } catch {
        // "foo:bar" is a URL too: what leads nowhere needs no leave.
      }
    }
  }

  revoke(): void {
    this.#grants.dispose();
  }
}
