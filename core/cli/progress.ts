/** Swarms in words and bars. @module */
import { formatDuration, formatRate, formatSize, type SwarmSnapshot } from "../api/mod.ts";
import { count, cut, printable } from "./text.ts";

/** Characters of a progress bar. */
const BAR_WIDTH = 24;

/** The share of the wanted bytes that is there, 0 to 1; of a running check while one runs. */
export function shareDone(swarm: SwarmSnapshot): number {
  if (swarm.state === "checking") return swarm.checked ?? 0;
  if (swarm.wanted === 0) return swarm.state === "metadata" ? 0 : 1;
  return swarm.wantedDone / swarm.wanted;
}

/** One swarm on a terminal: its name and state, then a bar with the figures. No line is wider than `columns`. */
export function progressBlock(swarm: SwarmSnapshot, columns: number): string[] {
  const filled = Math.floor(shareDone(swarm) * BAR_WIDTH);
  const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  return [cut(headline(swarm), columns - 1), cut(`${bar} ${figures(swarm).join("  ")}`, columns - 1)];
}

/** One swarm as a plain line. */
export function progressLine(swarm: SwarmSnapshot): string {
  return `${headline(swarm)}, ${figures(swarm).join(", ")}`;
}

/** Name and state, with the reason of a failure. */
export function headline({ name, state, error }: SwarmSnapshot): string {
  return `${printable(name)}: ${state === "metadata" ? "fetching metadata" : state}${
    error ? `: ${printable(error)}` : ""
  }`;
}

/** `47%`, cut rather than rounded: 100% means that everything is there. */
export function percent(share: number): string {
  return `${Math.floor(share * 100)}%`;
}

function figures(swarm: SwarmSnapshot): string[] {
  const { wanted, state, down, up, connected, piecesDone, pieces, eta } = swarm;
  return [
    state === "metadata" ? "" : `${percent(shareDone(swarm))} of ${formatSize(wanted)}`,
    state === "downloading" ? `down ${formatRate(down)}` : "",
    state === "checking" ? "" : `up ${formatRate(up)}`,
    state === "checking" ? "" : count(connected, "peer"),
    pieces > 0 ? `${piecesDone}/${count(pieces, "piece")}` : "",
    state === "downloading" && eta !== undefined
      ? `${formatDuration(Math.ceil(eta / 1000) * 1000, { parts: 2 })} left`
      : "",
  ].filter((figure) => figure !== "");
}
