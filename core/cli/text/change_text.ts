/** What a reload changes, in words. @module */
import type { PlanChange } from "../../api/mod.ts";
import { printable } from "./text.ts";

/** One change as a line, without its end: `+ plugin dht`, `~ limits.down: 10 MB/s to 5 MB/s`. */
export function changeLine({ action, what, why }: PlanChange): string {
  const sign = { add: "+", remove: "-", change: "~", replace: "replace" }[action];
  return printable(`${sign} ${what}${why ? `: ${why}` : ""}`);
}

/** The changes, a line each, or that there are none. */
export function changesText(changes: readonly PlanChange[]): string {
  return changes.length === 0 ? "nothing changed\n" : changes.map((change) => `${changeLine(change)}\n`).join("");
}
