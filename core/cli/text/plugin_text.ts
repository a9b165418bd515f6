/** Entries of a running Weft in words. @module */
import { formatDuration, type PluginSnapshot } from "../../api/mod.ts";
import { count, printable, table } from "./text.ts";

/** What an entry is doing; `now` is wall-clock milliseconds. */
export function pluginState({ state, until, holds }: PluginSnapshot, now: number): string {
  if (state === "retiring") return `retiring with ${count(holds, "hold")}`;
  if (state !== "quarantined" || until === undefined) return state;
  // Whole seconds, and never none: it isn't back before it is seen to run.
  const left = Math.max(1, Math.ceil((until - now) / 1000)) * 1000;
  return `quarantined for ${formatDuration(left, { parts: 2 })} more`;
}

/** Entries with what they did, a row each. */
export function entriesText(plugins: readonly PluginSnapshot[], now: number): string {
  return table([
    ["entry", "use", "state", "isolation", " calls", " failures", " time", "last error"],
    ...plugins.map((plugin) => [
      printable(plugin.name),
      printable(plugin.use),
      pluginState(plugin, now),
      plugin.isolate,
      String(sum(plugin, "calls")),
      String(sum(plugin, "failures")),
      `${Math.round(sum(plugin, "time"))} ms`,
      printable(plugin.lastError ?? ""),
    ]),
  ]);
}

/** What entries did for each hook, a row each. */
export function hooksText(plugins: readonly PluginSnapshot[]): string {
  const rows = plugins.flatMap(({ name, hooks }) =>
    hooks.map(({ hook, calls, failures, time }) => [
      printable(name),
      hook,
      String(calls),
      String(failures),
      calls === 0 ? "-" : `${(time / calls).toFixed(2)} ms`,
    ])
  );
  return rows.length === 0
    ? "no hook was called yet\n"
    : table([["entry", "hook", " calls", " failures", " mean time"], ...rows]);
}

/** Entries in short, as `weft status` shows them. */
export function shortEntriesText(plugins: readonly PluginSnapshot[], now: number): string {
  return table([
    ["plugin", "state", " calls", " failures", "last error"],
    ...plugins.map((plugin) => [
      printable(plugin.name),
      pluginState(plugin, now),
      String(sum(plugin, "calls")),
      String(sum(plugin, "failures")),
      printable(plugin.lastError ?? ""),
    ]),
  ]);
}

function sum({ hooks }: PluginSnapshot, figure: "calls" | "failures" | "time"): number {
  return hooks.reduce((total, hook) => total + hook[figure], 0);
}
