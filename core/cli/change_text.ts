/** What a reload changes, in words. @module */
import type { PlanChange, Settings } from "../api/mod.ts";
import { baseName } from "../config/mod.ts";
import { parseMagnet } from "../wire/mod.ts";
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

/** What these settings would start where nothing runs. */
export function startingChanges({ plugins, swarms }: Settings): PlanChange[] {
  return [
    ...plugins.map(({ name }) => ({ action: "add" as const, what: `plugin ${name}` })),
    ...swarms.map(({ add }) => ({ action: "add" as const, what: `swarm ${swarmName(add)}` })),
  ];
}

function swarmName(add: string): string {
  if (!/^magnet:/i.test(add)) return baseName(add);
  const { name, id } = parseMagnet(add);
  return name || id.key;
}
